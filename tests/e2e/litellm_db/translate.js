"use strict";
/* Prisma's two protocols, one into the other: the Python client asks in GraphQL, the WebAssembly engine is asked in JSON.
 *
 * The protocols differ in form, and in one thing more: GraphQL carries a value of a JSON column as text, which the JSON
 * protocol would take for a JSON string. So texts that stand where a model has a JSON column are marked as JSON. What is
 * not known here is refused with a sentence, never guessed at.
 */
const { parse, Kind } = require("graphql");

const ACTIONS =
  /^(findUnique|findFirst|findMany|createOne|createMany|updateOne|updateMany|upsertOne|deleteOne|deleteMany|aggregate|groupBy)(\w+?)(OrThrow)?$/;
const RAW = new Set(["queryRaw", "executeRaw"]);
const RECORDS = new Set(["where", "data", "create", "update", "cursor", "having"]);
const LOGIC = new Set(["AND", "OR", "NOT"]);
const RELATED = new Set([
  "create", "connect", "disconnect", "set", "delete", "deleteMany", "is", "isNot", "some", "every", "none",
]);
const NESTED = new Set(["connectOrCreate", "createMany"]);
const REFUSED = new Set(["update", "updateMany", "upsert"]);
const TEXTS = new Set(["path", "string_contains", "string_starts_with", "string_ends_with", "mode"]);

/** One GraphQL document with one operation in it, as the JSON protocol says it. */
function asked(document, models) {
  const { definitions } = parse(document, { noLocation: true });
  const fields = definitions.length === 1 ? definitions[0].selectionSet.selections : [];
  if (fields.length !== 1) throw new Error(`a document with ${fields.length} operations is not known here`);
  const [field] = fields;
  const name = field.name.value;
  if (RAW.has(name)) return { action: name, query: { arguments: object(field.arguments), selection: {} } };
  const [, action, model, or = ""] = ACTIONS.exec(name) ?? [];
  if (!models.has(model)) throw new Error(`the operation ${name} is not known here`);
  return { action: action + or, modelName: model, query: chosen(field, model, models) };
}

function chosen(field, model, models) {
  const selection = {};
  for (const each of field.selectionSet?.selections ?? []) {
    if (each.kind !== Kind.FIELD || each.alias) throw new Error(`a selection of the kind ${each.kind} is not known here`);
    const known = models.get(model).get(each.name.value);
    const inside = known?.kind === "object" ? known.type : model;
    selection[each.name.value] = each.selectionSet ? chosen(each, inside, models) : true;
  }
  return { arguments: request(object(field.arguments), model, models), selection };
}

function object(fields) {
  return Object.fromEntries(fields.map((each) => [each.name.value, value(each.value)]));
}

function value(node) {
  switch (node.kind) {
    case Kind.STRING:
    case Kind.ENUM:
    case Kind.BOOLEAN:
      return node.value;
    case Kind.INT:
      return Number.isSafeInteger(Number(node.value)) ? Number(node.value) : { $type: "BigInt", value: node.value };
    case Kind.FLOAT:
      return Number(node.value);
    case Kind.NULL:
      return null;
    case Kind.LIST:
      return node.values.map(value);
    case Kind.OBJECT:
      return object(node.fields);
    default:
      throw new Error(`a value of the kind ${node.kind} is not known here`);
  }
}

/** Every entry of an object, or of each object of a list, through a function of name and value. */
function mapped(given, change) {
  if (Array.isArray(given)) return given.map((each) => mapped(each, change));
  if (given === null || typeof given !== "object" || "$type" in given) return given;
  return Object.fromEntries(Object.entries(given).map(([name, each]) => [name, change(name, each)]));
}

/** What stands beside `where`, `data` and the like. */
function request(given, model, models) {
  return mapped(given, (name, each) => (RECORDS.has(name) ? record(each, model, models) : each));
}

/** What names the fields of a model. */
function record(given, model, models) {
  return mapped(given, (name, each) => {
    if (LOGIC.has(name)) return record(each, model, models);
    const field = models.get(model).get(name);
    if (field?.kind === "object") return related(each, field.type, models);
    return field?.type === "Json" ? json(each) : each;
  });
}

function related(given, model, models) {
  return mapped(given, (name, each) => {
    if (REFUSED.has(name)) throw new Error(`${name} inside a relation is not known here`);
    if (NESTED.has(name)) return request(each, model, models);
    return RELATED.has(name) ? record(each, model, models) : record({ [name]: each }, model, models)[name];
  });
}

function json(given) {
  if (typeof given === "string") return { $type: "Json", value: given };
  return mapped(given, (name, each) => (TEXTS.has(name) ? each : json(each)));
}

/** An answer of the engine as the native one gives it in GraphQL: one field named `result`, values without their types. */
function answered(answer) {
  if (answer.batchResult) return { ...answer, batchResult: answer.batchResult.map(answered) };
  if (!answer.data) return answer;
  const [result] = Object.values(answer.data);
  return { ...answer, data: { result: plain(result) } };
}

const PLAIN = new Set(["DateTime", "Json", "BigInt", "Decimal", "Bytes", "Enum"]);

function plain(given) {
  if (Array.isArray(given)) return given.map(plain);
  if (given === null || typeof given !== "object") return given;
  if ("$type" in given) {
    if (!PLAIN.has(given.$type)) throw new Error(`an answer of the type ${given.$type} is not known here`);
    return given.value;
  }
  return Object.fromEntries(Object.entries(given).map(([name, each]) => [name, plain(each)]));
}

module.exports = { asked, answered };
