"""How the directory changes: what an import stages, writes out of sight, and makes visible in one short transaction.

Everything written for the next revision is invisible until `lease.publish` moves `meta.directory_rev`; an import that dies leaves rows that
nobody sees and that the next import removes. None of this commits.
"""
