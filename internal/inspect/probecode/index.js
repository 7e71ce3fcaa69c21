// What layerd doctor --probe runs: imports, and says where from. Values of variables stay here.
const fs = require('fs');
const path = require('path');

function versionOf(file) {
  for (let dir = path.dirname(file); dir !== path.dirname(dir); dir = path.dirname(dir)) {
    try {
      const found = JSON.parse(fs.readFileSync(path.join(dir, 'package.json'), 'utf8'));
      if (found.version) return String(found.version);
    } catch (e) { /* the next folder */ }
  }
  return '';
}

exports.handler = async (event) => {
  const modules = [];
  for (const name of event.imports || []) {
    try {
      const file = require.resolve(name);
      try {
        require(file);
      } catch (e) {
        if (e.code !== 'ERR_REQUIRE_ESM') throw e;
        await import(file);
      }
      modules.push({ name, file, version: versionOf(file) });
    } catch (e) {
      modules.push({ name, error: String((e && e.name) || 'Error') + ': ' + String((e && e.message) || e).split('\n')[0] });
    }
  }
  return {
    layerd: 1,
    runtime: process.version,
    path: (process.env.NODE_PATH || '').split(':').filter(Boolean),
    modules,
    variables: Object.keys(process.env).sort(),
  };
};
