package foreign

import "strings"

// Slack returns one line for a message of Slack, which reads <!channel>, <@U1> and
// <http://…|words> as more than text. Backticks become apostrophes: three of them
// would take what follows into a block of code.
func Slack(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "`", "'").Replace(Clean(text))
}
