package awssim

// checkLayerShapes is the check of the request's shape, before everything
// else: each entry must look like a layer version ARN.
func checkLayerShapes(arns []string) *apiError {
	for _, arn := range arns {
		if !layerVersionPattern.MatchString(arn) && !awsLayerPattern.MatchString(arn) {
			return violation(list(arns), "layers", "%s", layerVersionRule)
		}
	}
	return nil
}

// checkLayers holds a full list of layers to the rules. An ARN that is already
// attached is checked like a new one: naming a deleted version fails.
//
//	more than five                      400 InvalidParameterValueException
//	own, gone                           400 … does not exist
//	own, other Region                   400 … not in the same region
//	foreign, not granted/gone/elsewhere 403 AccessDeniedException, all the same
//	two versions of one layer           400, also the same one twice
func (c *call) checkLayers(arns []string, unzipped int64) *apiError {
	if e := checkLayerShapes(arns); e != nil {
		return e
	}
	if len(arns) > 5 {
		return invalidValue("Cannot reference more than 5 layers.")
	}
	seen := map[string]string{}
	for _, arn := range arns {
		if awsLayerPattern.MatchString(arn) {
			continue
		}
		if e := c.checkLayer(arn); e != nil {
			return e
		}
		if other, twice := seen[unversioned(arn)]; twice {
			return invalidValue("Two different versions of the same layer are not allowed to be referenced in the same function. "+
				"%s and %s are versions of the same layer.", other, arn)
		}
		seen[unversioned(arn)] = arn
	}
	return c.checkSize(arns, unzipped)
}

func (c *call) checkLayer(arn string) *apiError {
	ref, n, _ := parseLayerVersion(arn) // the shape was checked
	v, live := c.w.layerVersion(ref, n)
	switch {
	case ref.account != c.store.account:
		if !live || ref.region != c.store.region || !c.granted(v) {
			return notGranted(c.who.arn, "lambda:GetLayerVersion", arn)
		}
	case ref.region != c.store.region:
		return invalidValue("Layers are not in the same region as the function. Layers are expected to be in region %s.", c.store.region)
	case !live:
		return invalidValue("Layer version %s does not exist.", arn)
	}
	return c.readable(v)
}

// readable refuses a layer that stays in S3 and that Lambda has lost the way to.
func (c *call) readable(v *layerVersion) *apiError {
	r := v.Reference
	if r.Bucket == "" {
		return nil
	}
	b := c.w.buckets[r.Bucket]
	if b == nil {
		return invalidValue(noZip, "NoSuchBucket", "The specified bucket does not exist")
	}
	_, e := c.fetch(b, source{bucket: r.Bucket, key: r.Key, version: r.Version}, lambdaService)
	return e
}

// checkSize adds up the unzipped bytes. Deleted layers that are still attached
// count.
func (c *call) checkSize(arns []string, unzipped int64) *apiError {
	total := unzipped
	for _, arn := range arns {
		if ref, n, ok := parseLayerVersion(arn); ok {
			if v := c.w.stored(ref, n); v != nil {
				total += v.Unzipped
			}
		}
	}
	if total > maxUnzipped {
		return invalidValue("Function code combined with layers exceeds the maximum allowed size of %d bytes. The actual size is %d bytes.",
			maxUnzipped, total)
	}
	return nil
}
