package state

import "slices"

// What a code means that any service of AWS may answer. A service's own codes
// belong to its adapter.

// credentialCodes are of a request whose signature AWS did not accept: the next
// one that is signed with the same credentials will not be either.
var credentialCodes = []string{
	"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired", "InvalidToken", "ExpiredIdTokenException",
	"InvalidClientTokenId", "InvalidAccessKeyId", "UnrecognizedClientException", "UnrecognizedClient", "AuthFailure",
	"IncompleteSignature", "IncompleteSignatureException", "InvalidSignature", "InvalidSignatureException", "SignatureDoesNotMatch",
	"MissingAuthenticationToken", "MissingAuthenticationTokenException", "NotAuthorizedException", "InvalidCredentials",
}

// accountCodes are of an account, or of a Region of it, that may not use the
// service at all.
var accountCodes = []string{
	"SubscriptionRequiredException", "SubscriptionRequired", "OptInRequired", "OptInRequiredException", "RegionDisabledException",
	"PendingVerification", "AccountProblem", "AccountSuspendedException", "AccountSuspended", "InactiveAccountException", "Blocked",
	"AccountNotFoundException", "UserSuspendedException", "NotSignedUp",
}

// functionCodes are of one function whose surroundings refuse it: its key, its
// network, its files, its runtime. AWS answers some of them as a 502, others as a
// 409, and has done nothing.
var functionCodes = []string{
	"InvalidRuntimeException", "InvalidZipFileException", "InvalidSecurityGroupIDException", "InvalidSubnetIDException",
	"KMSAccessDeniedException", "KMSDisabledException", "KMSInvalidStateException", "KMSNotFoundException",
	"EC2AccessDeniedException", "EFSMountFailureException", "EFSMountConnectivityException", "SnapStartException",
	"RuntimeAliasDeletedException", "RuntimeVersionDeletedException",
}

// deletedRuntime is what to do about a customer-managed runtime that is gone: AWS's
// own words leave out that it can come back. They come with a 409, as those about an
// update in progress do, where waiting helps.
const deletedRuntime = "waiting does not help: its publisher can restore it for 7 to 30 days, or point the function at another runtime"

// suggestion returns what to do about a code that AWS does not say; "" for most.
func suggestion(code string) string {
	if code == "RuntimeAliasDeletedException" || code == "RuntimeVersionDeletedException" {
		return deletedRuntime
	}
	return ""
}

// OfFunction reports whether a code is about what one function needs, and asking
// again does not change it.
func OfFunction(code string) bool { return slices.Contains(functionCodes, code) }

// OfCredentials reports whether a code means that AWS does not accept the
// credentials: others may do.
func OfCredentials(code string) bool { return slices.Contains(credentialCodes, code) }

// OfCaller reports whether a code is about who asks, and not about what is asked:
// every other call would be answered with it as well.
func OfCaller(code string) bool { return OfCredentials(code) || slices.Contains(accountCodes, code) }

// OfParameters reports whether a code means that AWS does not take what it was asked for,
// such as a principal that does not exist: it takes it for nothing else either.
func OfParameters(code string) bool {
	return slices.Contains([]string{"InvalidParameterValueException", "InvalidParameterValue", "ValidationException"}, code)
}

// Denied reports whether a code means that a right is missing. It may be missing
// for one thing or for all; an organization's policy (SCP) uses the same ones.
func Denied(code string) bool {
	return slices.Contains([]string{"AccessDeniedException", "AccessDenied", "UnauthorizedOperation", "AuthorizationError"}, code)
}
