"""Raw events out of an installation, and into one: files of a day each, and the manifest that vouches for them."""
