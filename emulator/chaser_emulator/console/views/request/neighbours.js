// The requests before and after one, among those that a list shows.

import { call } from "../../api.js";

/** The numbers on both sides: {older, newer}, undefined where there is none; `wanted` is as in matching.js. */
export async function neighbours(number, wanted, signal) {
  const query = { ...wanted, brief: true, limit: 1000 };
  const { requests } = await call("list-requests", { query, signal });
  const numbers = requests.map((one) => one.number);
  return { older: numbers.findLast((one) => one < number), newer: numbers.find((one) => one > number) };
}
