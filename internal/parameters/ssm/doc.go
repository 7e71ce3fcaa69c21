// Package ssm keeps parameters in Systems Manager's Parameter Store.
//
// It reads with GetParametersByPath and ListTagsForResource, and writes with
// PutParameter, AddTagsToResource and DeleteParameter. A value and its tags are two
// calls, since AWS takes no tags with a value that replaces another: the value comes
// first, which readers wait for, and where the tags do not follow the next comparison
// finds that they are missing.
package ssm
