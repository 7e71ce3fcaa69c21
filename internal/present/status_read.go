package present

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// ReadStatus reads a Status as a daemon serves it. What it says is text of others, as
// any other that is shown.
func ReadStatus(document []byte) (Status, error) {
	var s Status
	if err := json.Unmarshal(document, &s); err != nil {
		return Status{}, err
	}
	if s.FormatVersion == "" || s.Repository == "" && s.Verdict == "" {
		return Status{}, errors.New("it is no status of layerd")
	}
	if s.FormatVersion != statusVersion {
		return Status{}, fmt.Errorf("it has format_version %q, and this layerd reads %s", s.FormatVersion, statusVersion)
	}
	zone, err := time.LoadLocation(s.Zone)
	if err != nil || s.Zone == "Local" {
		zone = time.UTC
	}
	s.zone = zone
	if verdictRank(s.Verdict) < 0 {
		s.Verdict = VerdictUnknown
	}
	s.fill()
	return s, nil
}

// fill makes lists that are not there empty ones: what is printed has no null.
func (s *Status) fill() {
	s.Problems = append([]StatusProblem{}, s.Problems...)
	s.Environments = append([]StatusEnvironment{}, s.Environments...)
	for i := range s.Problems {
		p := &s.Problems[i]
		p.Names = append([]string{}, p.Names...)
	}
	for i := range s.Environments {
		e := &s.Environments[i]
		e.Accounts = append([]StatusAccount{}, e.Accounts...)
		e.Regions = append([]StatusRegion{}, e.Regions...)
		e.Notes = append([]string{}, e.Notes...)
		for k := range e.Regions {
			e.Regions[k].Layers = append([]StatusLayer{}, e.Regions[k].Layers...)
		}
	}
}
