package foreign

import (
	"bytes"
	"io"
)

// JSONLog returns what a slog.JSONHandler writes to: each record goes through JSON.
func JSONLog(w io.Writer) io.Writer { return records{w, JSON} }

// TextLog returns what a slog.TextHandler writes to: each record is one line that
// was cleaned. The handler quotes most of what is hidden, but leaves DEL.
func TextLog(w io.Writer) io.Writer {
	return records{w, func(line []byte) []byte { return []byte(Clean(string(line))) }}
}

// records is a writer that is given one record at a time, with the end of its line,
// as the handlers of slog do.
type records struct {
	to    io.Writer
	clean func([]byte) []byte
}

// Write writes one record. What it cleans has another length, which is nobody's
// business.
func (r records) Write(record []byte) (int, error) {
	line, ended := bytes.CutSuffix(record, []byte("\n"))
	line = r.clean(line)
	if ended {
		line = append(bytes.Clone(line), '\n')
	}
	if _, err := r.to.Write(line); err != nil {
		return 0, err
	}
	return len(record), nil
}
