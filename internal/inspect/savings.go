package inspect

// The prices and rates of the guide's calculation. Lambda itself charges nothing for
// code within the quota: the price is what the guide takes, S3's for a GB and month.
const (
	bytesPerGB  = 1 << 30
	pricePerGB  = 0.023 // USD a month
	gbPerMinute = 0.1   // that a deployment uploads
)

// Savings is what sharing a layer saves, by the guide's calculation.
type Savings struct {
	Without, With float64 // GB (2^30 bytes) of zips, without and with layers
	Alone         float64 // GB of what functions have beside their layers
	Dollars       float64 // a month
	Percent       float64 // of Without; 0 where there is nothing
}

// compareSizes compares what zips take in GB.
func compareSizes(without, with, alone float64) Savings {
	s := Savings{Without: without, With: with, Alone: alone, Dollars: (without - with) * pricePerGB}
	if without > 0 {
		s.Percent = (1 - with/without) * 100
	}
	return s
}

// Minutes returns how long so many deployments of all functions a month take less to
// upload: each uploads what the functions have by themselves.
func (s Savings) Minutes(deployments int) float64 {
	return float64(deployments) * (s.Without - s.Alone) / gbPerMinute
}

// Fleet is what the guide's calculation begins with: so many functions of one size, the
// layer in it included, each deployed so often a month.
type Fleet struct {
	Functions, Deployments int
	Function, Layer        int64 // bytes
}

// Savings returns what a layer saves in the fleet.
func (f Fleet) Savings() Savings {
	n := float64(f.Functions)
	alone := n * float64(f.Function-f.Layer) / bytesPerGB
	return compareSizes(n*float64(f.Function)/bytesPerGB, alone+float64(f.Layer)/bytesPerGB, alone)
}
