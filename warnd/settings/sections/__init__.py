"""One file for each channel's section of the settings. A section that is None switches its channel off."""
