package foreign_test

import (
	"strings"
	"testing"

	"github.com/layerd/layerd/internal/foreign"
)

// BenchmarkJSON is about the document of a plan of ten thousand steps.
func BenchmarkJSON(b *testing.B) {
	document := []byte(strings.Repeat(`{"function": "makoto-chat-handler-prod", "reason": "Git wants 1.4.2 → 13; 会話"},`+"\n", 100_000))
	b.SetBytes(int64(len(document)))
	for b.Loop() {
		foreign.JSON(document)
	}
}

func BenchmarkClean(b *testing.B) {
	text := strings.Repeat("makoto-chat-handler-prod 会話ハンドラー ", 100)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		foreign.Clean(text)
	}
}
