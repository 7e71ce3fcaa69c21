package main

import (
	"testing"
	"time"
)

const testRegion = "ap-northeast-1"

// testNow is a Wednesday morning in Tokyo.
var testNow = time.Date(2026, 11, 25, 1, 30, 0, 0, time.UTC)

func tokyo(t *testing.T) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}
