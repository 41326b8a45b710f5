"""What all pages share: rendering, number formats, ranges, error pages, downloads."""
