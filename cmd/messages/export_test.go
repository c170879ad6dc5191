package messages

// LoadForWindows reads the catalogs as they are used on Windows.
func LoadForWindows(lang string) (*Catalog, error) { return load(lang, onWindows) }
