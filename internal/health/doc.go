// Package health judges whether a change is good.
package health
