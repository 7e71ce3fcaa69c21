package words

import (
	"fmt"
	"slices"
	"strconv"
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

// Ranges returns numbers in their order, those that follow each other as one: "3-17, 20".
func Ranges(numbers []int64) string {
	numbers = slices.Compact(slices.Sorted(slices.Values(numbers)))
	var list []string
	for i := 0; i < len(numbers); {
		end := i
		for end+1 < len(numbers) && numbers[end+1] == numbers[end]+1 {
			end++
		}
		text := strconv.FormatInt(numbers[i], 10)
		switch {
		case end == i+1: // two are no range
			end = i
		case end > i:
			text += "-" + strconv.FormatInt(numbers[end], 10)
		}
		list, i = append(list, text), end+1
	}
	return strings.Join(list, ", ")
}
