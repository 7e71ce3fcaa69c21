package words

import (
	"fmt"
	"strings"
)

// And returns a list as a sentence has it: "a", "a and b", "a, b and c".
func And(list []string) string {
	switch n := len(list); n {
	case 0:
		return "nothing"
	case 1:
		return list[0]
	default:
		return strings.Join(list[:n-1], ", ") + " and " + list[n-1]
	}
}

// Bytes returns a size as AWS writes sizes: 1 MB is 1,048,576 bytes, so that its limit
// of 262,144,000 bytes is "250 MB". Below ten there is one digit after the point.
func Bytes(n int64) string {
	unit, value := "bytes", float64(n)
	for _, larger := range []string{"KB", "MB", "GB", "TB"} {
		if value < 1000 {
			break
		}
		unit, value = larger, value/1024
	}
	switch {
	case unit == "bytes" && n == 1:
		return "1 byte"
	case unit == "bytes" || value >= 10:
		return fmt.Sprintf("%.0f %s", value, unit)
	default:
		return fmt.Sprintf("%.1f %s", value, unit)
	}
}
