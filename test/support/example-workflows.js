/** What the examples offer to workflows, as workflows. Built ones, which find the package by its name. */
module.exports = {
  ...require('../../dist/examples/batch-map/map.js'),
  ...require('../../dist/examples/squares-workflow.js'),
};
