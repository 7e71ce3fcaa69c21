package state

// Query is what to look at beside all functions.
type Query struct {
	// Layers are the layers whose versions to list. Those of other accounts,
	// Regions or partitions are left out of the snapshot.
	Layers []LayerARN
	// Tags asks for the functions' tags. They come from an index that lags by
	// seconds to minutes: good for selecting, to be confirmed by Function
	// before a change.
	Tags bool
	// Settings asks for the fingerprint of each function's settings, which
	// takes a hash over its environment: for when functions are served through
	// aliases.
	Settings bool
}
