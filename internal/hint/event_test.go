package hint

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

const (
	account = "123456789012"
	region  = "ap-northeast-1"
	arn     = "arn:aws:lambda:ap-northeast-1:123456789012:function:"
)

var (
	f     = Subject{Account: account, Region: region, Function: "f"}
	g     = Subject{Account: account, Region: region, Function: "g"}
	layer = Subject{Account: account, Region: region, Layer: "common"}
	place = Subject{Account: account, Region: region}
)

// called is a call as EventBridge forwards it from CloudTrail.
func called(name, parameters string) string {
	return fmt.Sprintf(`{"version":"0","id":"1","detail-type":"AWS API Call via CloudTrail","source":"aws.lambda","account":"123456789012","time":"2026-11-30T12:00:00Z",
		"region":"ap-northeast-1","resources":[],"detail":{"eventVersion":"1.10","eventName":%q,"eventSource":"lambda.amazonaws.com","requestParameters":%s}}`, name, parameters)
}

// state is a function state event, of whose detail nothing is documented.
func state(resources, detail string) string {
	return fmt.Sprintf(`{"version":"0","id":"1","detail-type":"Lambda Function State Change","source":"aws.lambda","account":"123456789012","time":"2026-11-30T12:00:00Z",
		"region":"ap-northeast-1","resources":%s,"detail":%s}`, resources, detail)
}

func TestWhatAnEventIsAbout(t *testing.T) {
	for name, tt := range map[string]struct {
		body string
		call string
		want []Subject
	}{
		"a name":                     {called("UpdateFunctionConfiguration20150331v2", `{"functionName":"f"}`), "UpdateFunctionConfiguration", []Subject{f}},
		"an ARN":                     {called("UpdateFunctionCode20150331v2", `{"functionName":"`+arn+`f"}`), "UpdateFunctionCode", []Subject{f}},
		"an ARN with an alias":       {called("PublishVersion20150331", `{"functionName":"`+arn+`f:live"}`), "PublishVersion", []Subject{f}},
		"part of an ARN":             {called("UpdateAlias20150331", `{"functionName":"123456789012:function:f","name":"live"}`), "UpdateAlias", []Subject{f}},
		"a short form":               {called("DeleteFunction20150331", `{"functionName":"function:f"}`), "DeleteFunction", []Subject{f}},
		"no date":                    {called("UpdateFunctionConfiguration", `{"functionName":"f"}`), "UpdateFunctionConfiguration", []Subject{f}},
		"a date to come":             {called("UpdateFunctionConfiguration20270101", `{"functionName":"f"}`), "UpdateFunctionConfiguration", []Subject{f}},
		"a tag":                      {called("TagResource20170331v2", `{"resource":"`+arn+`f"}`), "TagResource", []Subject{f}},
		"another account's function": {called("UpdateFunctionCode20150331v2", `{"functionName":"arn:aws:lambda:us-east-1:210987654321:function:f"}`), "UpdateFunctionCode", []Subject{{Account: "210987654321", Region: "us-east-1", Function: "f"}}},
		"its layers are no news":     {called("UpdateFunctionConfiguration20150331v2", `{"functionName":"f","layers":["arn:aws:lambda:ap-northeast-1:123456789012:layer:common:1"]}`), "UpdateFunctionConfiguration", []Subject{f}},
		"a layer":                    {called("DeleteLayerVersion20181031", `{"layerName":"common","versionNumber":3}`), "DeleteLayerVersion", []Subject{layer}},
		"a layer's ARN":              {called("PublishLayerVersion20181031", `{"layerName":"arn:aws:lambda:ap-northeast-1:123456789012:layer:common"}`), "PublishLayerVersion", []Subject{layer}},
		"no name":                    {called("PutFunctionConcurrency20171031", `{}`), "PutFunctionConcurrency", []Subject{place}},
		"no parameters":              {called("UpdateAlias20150331", `null`), "UpdateAlias", []Subject{place}},
		"parameters that are a list": {called("UpdateAlias20150331", `["f"]`), "UpdateAlias", []Subject{place}},
		"a name that is a number":    {called("UpdateAlias20150331", `{"functionName":7}`), "UpdateAlias", []Subject{place}},
		"a name that is none":        {called("UpdateAlias20150331", `{"functionName":"<b>\u0007"}`), "UpdateAlias", []Subject{place}},
		"a read":                     {called("GetFunction20150331v2", `{"functionName":"f"}`), "GetFunction", nil},
		"a list":                     {called("ListVersionsByFunction20150331", `{"functionName":"f"}`), "ListVersionsByFunction", nil},
		"a run":                      {called("Invoke", `{"functionName":"f"}`), "Invoke", nil},
		"refused":                    {strings.Replace(called("UpdateAlias20150331", `{"functionName":"f"}`), `"detail":{`, `"detail":{"errorCode":"AccessDenied",`, 1), "UpdateAlias", nil},

		"a state, in resources":    {state(`["`+arn+`f:3"]`, `{}`), "", []Subject{f}},
		"a state, in its detail":   {state(`[]`, `{"a":{"b":["`+arn+`f:$LATEST"]}}`), "", []Subject{f}},
		"of managed instances":     {state(`["`+arn+`f:$LATEST.PUBLISHED"]`, `{}`), "", []Subject{f}},
		"of an update that begins": {state(`["`+arn+`f"]`, `{"lastUpdateStatus":"InProgress"}`), "", []Subject{f}},
		"named twice":              {state(`["`+arn+`f","`+arn+`f:1"]`, `{"functionArn":"`+arn+`f"}`), "", []Subject{f}},
		"of two":                   {state(`["`+arn+`f"]`, `{"functionArn":"`+arn+`g"}`), "", []Subject{f, g}},
		"of none that is known":    {state(`[]`, `{"functionName":"f","state":"Active"}`), "", []Subject{place}},
		"without detail":           {state(`[]`, `null`), "", []Subject{place}},
		"of very many":             {state(`["`+arn+strings.Join(numbers(100), `","`+arn)+`"]`, `{}`), "", []Subject{place}},
	} {
		event, err := Parse(tt.body)
		if err != nil || event.Call != tt.call || !reflect.DeepEqual(event.Subjects, tt.want) || event.Ends() != (tt.call == "" && !strings.Contains(tt.body, "InProgress")) {
			t.Errorf("%s: %+v, %v; want %s of %+v", name, event, err, tt.call, tt.want)
		}
	}
}

func numbers(n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprint("f", i))
	}
	return list
}

func TestWhatIsNoEvent(t *testing.T) {
	good := called("UpdateAlias20150331", `{"functionName":"f"}`)
	for name, body := range map[string]string{
		"nothing":             "",
		"text":                "hello",
		"half of one":         good[:len(good)/2],
		"a list":              "[]",
		"null":                "null",
		"an empty object":     "{}",
		"of S3":               strings.Replace(good, "aws.lambda", "aws.s3", 1),
		"of nobody":           strings.Replace(good, "aws.lambda", "acme.lambda", 1),
		"of no account":       strings.Replace(good, account, "1234", 1),
		"of an odd Region":    strings.Replace(good, `"region":"ap-northeast-1"`, `"region":"../../x"`, 1),
		"a call with no name": strings.Replace(good, "UpdateAlias20150331", "", 1),
		"an odd name":         strings.Replace(good, "UpdateAlias20150331", "<script>", 1),
		"detail of a number":  strings.Replace(good, `"detail":{`, `"detail":7,"x":{`, 1),
		"huge":                strings.Replace(good, `"version":"0"`, `"version":"`+strings.Repeat("0", MaxBytes)+`"`, 1),
		"deep":                state("[]", strings.Repeat(`{"a":`, 20000)+"1"+strings.Repeat("}", 20000)),
	} {
		event, err := Parse(body)
		if err == nil {
			t.Errorf("%s: %+v", name, event)
		}
		if err != nil && len(err.Error()) > 200 {
			t.Errorf("%s: the error has %d bytes", name, len(err.Error()))
		}
	}
}

// Whatever it is, what comes out is bounded, and nothing but an account, a Region and a name.
func FuzzParse(f *testing.F) {
	for _, body := range []string{
		called("UpdateFunctionConfiguration20150331v2", `{"functionName":"f"}`), called("DeleteLayerVersion20181031", `{"layerName":"common"}`),
		state(`["`+arn+`f:3"]`, `{"a":[{"b":"`+arn+`g"}]}`), "", "{}",
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		event, err := Parse(body)
		if err != nil && len(event.Subjects) > 0 {
			t.Fatalf("%v, and %+v", err, event)
		}
		if len(event.Subjects) > maxSubjects {
			t.Fatalf("%d subjects", len(event.Subjects))
		}
		for _, s := range event.Subjects {
			if !accountForm.MatchString(s.Account) || !regionForm.MatchString(s.Region) || s.Function != "" && s.Layer != "" ||
				s.Function+s.Layer != "" && !nameForm.MatchString(s.Function+s.Layer) {
				t.Fatalf("%+v", s)
			}
		}
	})
}

func TestWhichURLIsMeant(t *testing.T) {
	const url = "https://sqs.ap-northeast-1.amazonaws.com/123456789012/layerd"
	for text, want := range map[string]string{
		"arn:aws:sqs:ap-northeast-1:123456789012:layerd":                url,
		"sqs.ap-northeast-1.amazonaws.com/123456789012/layerd":          url,
		"http://sqs.ap-northeast-1.amazonaws.com/123456789012/layerd":   url,
		"https://sqs.ap-northeast-1.amazonaws.com/123456789012/layerd/": "",
		"arn:aws-cn:sqs:cn-north-1:123456789012:layerd":                 "https://sqs.cn-north-1.amazonaws.com.cn/123456789012/layerd",
		"arn:aws:sns:ap-northeast-1:123456789012:layerd":                "", "layerd": "", "": "",
	} {
		if got := MeantURL(text); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}

func TestWhereAQueueIs(t *testing.T) {
	for url, want := range map[string]string{
		"https://sqs.ap-northeast-1.amazonaws.com/123456789012/layerd":       "ap-northeast-1",
		"https://sqs.us-gov-west-1.amazonaws.com/123456789012/layerd_events": "us-gov-west-1",
		"https://sqs-fips.us-east-1.amazonaws.com/123456789012/layerd":       "us-east-1",
		"https://sqs.cn-north-1.amazonaws.com.cn/123456789012/layerd":        "cn-north-1",
		"https://sqs.eusc-de-east-1.amazonaws.eu/123456789012/layerd":        "eusc-de-east-1",
		"https://sqs.eu-central-1.api.aws/123456789012/layerd":               "eu-central-1",
		"https://eu-central-1.queue.amazonaws.com/123456789012/layerd":       "eu-central-1",
		"":       "",
		"layerd": "",
		"arn:aws:sqs:ap-northeast-1:123456789012:layerd":                      "",
		"http://sqs.ap-northeast-1.amazonaws.com/123456789012/layerd":         "",
		"https://sqs.ap-northeast-1.amazonaws.com/123456789012/":              "",
		"https://sqs.ap-northeast-1.amazonaws.com/1234/layerd":                "",
		"https://sqs.ap-northeast-1.amazonaws.com/123456789012/layerd?a=b":    "",
		"https://sqs.ap-northeast-1.amazonaws.com.evil.test/123456789012/q":   "",
		"https://evil.test/123456789012/layerd":                               "",
		"https://user:secret@sqs.us-east-1.amazonaws.com/123456789012/layerd": "",
		"https://sqs.us-east-1.amazonaws.com/123456789012/layerd.fifo":        "",
	} {
		a, err := ParseURL(url)
		if a.Region != want || (err == nil) != (want != "") {
			t.Errorf("%s: %+v, %v", url, a, err)
		}
	}
}
