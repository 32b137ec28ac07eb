'use strict';

/** The native part: the crate in `src`, compiled. */
function load() {
  try {
    return require('../promptops.node');
  } catch (error) {
    if (error.code !== 'MODULE_NOT_FOUND' && error.code !== 'ERR_DLOPEN_FAILED') throw error;
    const machine = `${process.platform} on ${process.arch}, Node ${process.versions.node}`;
    throw new Error(`the native part of promptops cannot be loaded on this machine (${machine})`, { cause: error });
  }
}

module.exports = load();
