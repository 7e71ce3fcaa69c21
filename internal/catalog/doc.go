// Package catalog NUMBERS: which live number of a layer a version means.
//
// AWS counts the versions of a layer, people name them. What Git's "1.4.1" stands
// for, what --to 1.4.1 goes back to and what a number is called in a table must be
// one answer, so that all of them ask here. Of a semantic version it is, in this
// order:
//
//   - the number that Git says it is (known): where that is not live, the version
//     is not found, whatever else says so;
//   - the number it stood for when it was first applied in the environment, where
//     that is live and Git does not call it something else by now;
//   - the highest live number whose Description begins with it, or has it right
//     after the layer's name or its title, or ends with layerd's stamp of it. A
//     version further inside is a dependency's: it is named and not taken.
//
// A version that is found nowhere and whose layer has an artifact is missing: it is to be
// published. What is published says so at the end of its Description, see Stamp.
//
// What is promised: the same wish, snapshot and past give the same number; a
// number is never taken for two versions; what is not live is never found; what is
// missing is found once it was published with its stamp.
//
// What is not: whether a version may come to a function. reconcile decides that.
package catalog
