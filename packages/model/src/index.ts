/** Pure decisions on plain data: balancing, breakers, retries, routes. */
export {};
