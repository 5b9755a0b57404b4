// Reads an AsyncAPI document as other programs would, and says what is wrong with it: node validate.mjs FILE
// Exit status: 0 where it is valid, 1 where it is not. Nothing is fetched: every reference lies inside the document.
import { readFile } from "node:fs/promises";
import { Parser } from "@asyncapi/parser";

// Errors and warnings of the parser; below are remarks on what is merely usual.
const WORST = 1;

const { document, diagnostics } = await new Parser().parse(await readFile(process.argv[2], "utf8"));
const faults = diagnostics.filter((fault) => fault.severity <= WORST);
for (const fault of faults) console.error(`${fault.path.join(".")}: ${fault.message}`);
if (document) console.log(JSON.stringify({ channels: document.channels().length, operations: document.operations().length }));
process.exit(document && faults.length === 0 ? 0 : 1);
