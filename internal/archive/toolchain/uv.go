package toolchain

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// oldestUV is the first uv that knows the platforms which it is asked for here:
// manylinux2014 by that name came last.
var oldestUV = semver.MustParse("0.5.14")

// uvVersion is the line that uv --version prints: uv 0.9.22 (82a6a66b8 2026-01-06).
var uvVersion = regexp.MustCompile(`^uv (\d+\.\d+\.\d+[\w.+-]*)`)

// findUV returns the uv that may be called, or the version of one that is too old.
func findUV(ctx context.Context) (path, old string) {
	path, err := exec.LookPath("uv")
	if err != nil {
		return "", ""
	}
	out, err := exec.CommandContext(ctx, path, "--version").Output()
	m := uvVersion.FindStringSubmatch(string(out))
	if err != nil || m == nil {
		return "", ""
	}
	if v, err := semver.NewVersion(m[1]); err == nil && v.LessThan(oldestUV) {
		return "", m[1]
	}
	return path, ""
}

// uv installs into the folder. Two targets have the same packages if their files are.
func (b *build) uv(ctx context.Context, uv string, t target, dir string) (map[string]string, error) {
	site := filepath.Join(dir, "site")
	arch := map[string]string{"x86_64": "x86_64", "arm64": "aarch64"}[t.machine]
	platform := arch + "-manylinux2014"
	if t.libc.Minor >= 34 {
		platform = arch + "-manylinux_2_34"
	}
	cmd := exec.CommandContext(ctx, uv, "pip", "install", "--quiet", "--target", site, "--requirement", filepath.Join("python", "requirements.txt"),
		"--only-binary", ":all:", "--python-version", t.python, "--python-platform", platform, "--link-mode", "copy", "--no-progress")
	cmd.Dir, cmd.Env = b.Dir, append(os.Environ(), "UV_PYTHON_DOWNLOADS=never") // what is wanted are packages
	if said, err := b.run(cmd); err != nil {
		return nil, b.failed(ctx, "packages_not_found", "uv", said, err, b.notFound(t))
	}
	return b.installed(site)
}

// installed returns the files of each package in a folder that uv has filled, hashed.
func (b *build) installed(site string) (map[string]string, error) {
	infos, err := filepath.Glob(filepath.Join(site, "*.dist-info"))
	if err != nil {
		return nil, fmt.Errorf("read what uv installed: %w", err)
	}
	got := map[string]string{}
	for _, info := range infos {
		// A wheel's tag is in WHEEL, and its files with their hashes in RECORD.
		tag, err1 := os.ReadFile(filepath.Join(info, "WHEEL"))
		record, err2 := os.ReadFile(filepath.Join(info, "RECORD"))
		if err := errors.Join(err1, err2); err != nil {
			return nil, fmt.Errorf("read what uv installed: %w", err)
		}
		name, _, _ := strings.Cut(filepath.Base(info), "-")
		got[strings.ToLower(name)] = string(tag) + string(record)
	}
	return got, nil
}
