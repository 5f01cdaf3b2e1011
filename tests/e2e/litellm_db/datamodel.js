"use strict";
/* What Prisma's own parser says of a schema: the fields of its models, and what a generator of clients is handed.
 *
 *   node datamodel.js SCHEMA OUTPUT    prints the request that `prisma generate` sends to the generator for Python
 */
const { readFileSync } = require("node:fs");
const { resolve } = require("node:path");
const { get_config, get_dmmf } = require("@prisma/prisma-schema-wasm");

function described(prismaSchema) {
  return JSON.parse(get_dmmf(JSON.stringify({ prismaSchema })));
}

/** Model to field to what it is. */
function models(prismaSchema) {
  return new Map(
    described(prismaSchema).datamodel.models.map((model) => [
      model.name,
      new Map(model.fields.map((field) => [field.name, field])),
    ]),
  );
}

function request(path, output) {
  const version = require("@prisma/query-engine-wasm/package.json").version.split(".").at(-1); // the commit
  const datamodel = readFileSync(path, "utf8");
  const { config, errors } = JSON.parse(
    get_config(JSON.stringify({ prismaSchema: datamodel, ignoreEnvVarErrors: true, env: {} })),
  );
  if (errors.length) throw new Error(JSON.stringify(errors));
  const [generator] = config.generators;
  const params = {
    datamodel, version, dmmf: described(datamodel), datasources: config.datasources, schemaPath: resolve(path),
    generator: { ...generator, output: { value: resolve(output), fromEnvVar: null }, binaryTargets: [] },
    otherGenerators: [], binaryPaths: { queryEngine: { native: "named by PRISMA_QUERY_ENGINE_BINARY" } },
  };
  return JSON.stringify({ jsonrpc: "2.0", id: 1, method: "generate", params });
}

if (require.main === module) console.log(request(...process.argv.slice(2)));
module.exports = { models };
