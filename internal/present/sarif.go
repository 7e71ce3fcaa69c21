package present

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/layerd/layerd/internal/foreign"
	"github.com/layerd/layerd/internal/inspect"
)

// sarifSchema is of SARIF 2.1.0, which code scanning takes.
const sarifSchema = "https://json.schemastore.org/sarif-2.1.0.json"

type sarifLog struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool struct {
		Driver sarifDriver `json:"driver"`
	} `json:"tool"`
	ColumnKind string        `json:"columnKind"`
	Results    []sarifResult `json:"results"`
}

type sarifDriver struct {
	Name    string      `json:"name"`
	Version string      `json:"version,omitempty"`
	Rules   []sarifRule `json:"rules"`
}

type sarifRule struct {
	ID    string    `json:"id"`
	Short sarifText `json:"shortDescription"`
}

type sarifText struct {
	Text string `json:"text"`
}

type sarifResult struct {
	RuleID       string            `json:"ruleId"`
	RuleIndex    int               `json:"ruleIndex"`
	Kind         string            `json:"kind"`
	Level        string            `json:"level"`
	Message      sarifText         `json:"message"`
	Locations    []sarifLocation   `json:"locations"`
	Fingerprints map[string]string `json:"partialFingerprints"`
}

type sarifLocation struct {
	Physical *sarifPhysical `json:"physicalLocation,omitempty"`
	Logical  []sarifLogical `json:"logicalLocations,omitempty"`
}

type sarifPhysical struct {
	Artifact struct {
		URI string `json:"uri"`
	} `json:"artifactLocation"`
	Region *sarifRegion `json:"region,omitempty"`
}

type sarifRegion struct {
	Line   int `json:"startLine"`
	Column int `json:"startColumn,omitempty"`
}

type sarifLogical struct {
	Name string `json:"fullyQualifiedName"`
	Kind string `json:"kind"`
}

// SARIF returns findings for code scanning, in SARIF 2.1.0. root is the folder of the
// desired state inside its repository. A finding without a line in Git stands at the
// thing that it is about.
func SARIF(list []Finding, version, root string) (string, error) {
	log := sarifLog{Schema: sarifSchema, Version: "2.1.0", Runs: make([]sarifRun, 1)}
	run := &log.Runs[0]
	run.ColumnKind, run.Results = "unicodeCodePoints", []sarifResult{}
	driver := &run.Tool.Driver
	driver.Name, driver.Version, driver.Rules = "layerd", version, []sarifRule{}
	index := map[string]int{}
	for i, c := range inspect.Codes() {
		driver.Rules = append(driver.Rules, sarifRule{c.Name, sarifText{c.Text}})
		index[c.Name] = i
	}
	for _, f := range list {
		i, known := index[f.Code]
		if !known { // a code of package archive that the list has not got yet
			i = len(driver.Rules)
			index[f.Code] = i
			driver.Rules = append(driver.Rules, sarifRule{f.Code, sarifText{f.Code}})
		}
		r := sarifResult{RuleID: f.Code, RuleIndex: i, Kind: "fail", Message: sarifText{sarifMessage(f)}, Locations: []sarifLocation{sarifPlace(f, root)}}
		switch f.Severity {
		case inspect.Error, inspect.Warning, inspect.Note:
			r.Level = string(f.Severity)
		default:
			r.Kind, r.Level = "open", "none" // nobody could decide
		}
		sum := sha256.Sum256([]byte(f.Code + "\x00" + f.Subject))
		r.Fingerprints = map[string]string{"layerd/v1": hex.EncodeToString(sum[:8])}
		run.Results = append(run.Results, r)
	}
	return JSON(log)
}

// sarifMessage has in one text what a page shows in lines.
func sarifMessage(f Finding) string {
	parts := []string{f.Subject + ": " + f.Message}
	parts = append(parts, f.Evidence...)
	parts = append(parts, f.Advice, f.Command)
	parts = slices.DeleteFunc(parts, func(s string) bool { return s == "" })
	for i := range parts {
		lines := strings.Split(parts[i], "\n")
		for j := range lines {
			lines[j] = foreign.Clean(lines[j])
		}
		parts[i] = strings.Join(lines, "\n")
	}
	return strings.Join(parts, "\n")
}

func sarifPlace(f Finding, root string) sarifLocation {
	l := sarifLocation{Logical: []sarifLogical{{Name: f.Subject, Kind: "resource"}}}
	if f.File != "" {
		l.Physical = &sarifPhysical{Region: &sarifRegion{Line: max(f.Line, 1), Column: cmp.Or(f.At.Column, 1)}}
		l.Physical.Artifact.URI = (&url.URL{Path: path.Join(root, f.File)}).String()
	}
	return l
}
