package inspect

import (
	"cmp"
	"encoding/csv"
	"os"
	"strconv"
	"testing"

	pep440 "github.com/aquasecurity/go-pep440-version"
)

// table reads what packaging 24.1 (pip's) and semver 7.8.5 (npm's, with
// includePrerelease) answer: a range in each row, a version in each column.
func table(t *testing.T, name string) (versions []string, rows [][]string) {
	t.Helper()
	f, err := os.Open("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return all[0][1:], all[1:]
}

func TestPythonRangesAreThoseOfPackaging(t *testing.T) {
	versions, rows := table(t, "pep440.csv")
	for _, row := range rows[:len(rows)-1] {
		r, err := parsePythonRange(row[0])
		if err != nil {
			t.Errorf("%s: %v", row[0], err)
			continue
		}
		for i, v := range versions {
			if in, known := r.has(v); !known || in != (row[i+1] == "y") {
				t.Errorf("%s of %s: %v, %v; packaging has %s", v, row[0], in, known, row[i+1])
			}
		}
	}
	place := rows[len(rows)-1][1:] // of each version in their order
	for i, a := range versions {
		for j, b := range versions {
			x, _ := strconv.Atoi(place[i])
			y, _ := strconv.Atoi(place[j])
			if got := pep440.MustParse(a).Compare(pep440.MustParse(b)); got != cmp.Compare(x, y) {
				t.Errorf("%s against %s: %d", a, b, got)
			}
		}
	}
}

func TestNPMRangesAreThoseOfNPM(t *testing.T) {
	versions, rows := table(t, "npm.csv")
	for _, row := range rows {
		r, err := parseNPMRange(row[0])
		if err != nil {
			t.Errorf("%s: %v", row[0], err)
			continue
		}
		for i, v := range versions {
			if in, known := r.has(v); !known || in != (row[i+1] == "y") {
				t.Errorf("%s of %q: %v, %v; npm has %s", v, row[0], in, known, row[i+1])
			}
		}
	}
}
