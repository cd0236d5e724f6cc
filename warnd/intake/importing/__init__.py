"""How regions, recipients and geocode aliases come from files into the directory: checked whole, then made visible at once."""
