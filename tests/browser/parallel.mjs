// Does work on each item of a list, in a few windows at once.

const AT_ONCE = 3;

export async function parallel(items, begin, each, end) {
  const rest = [...items], results = [];
  const lane = async () => {
    const window_ = await begin();
    while (rest.length) results.push(await each(window_, rest.shift()));
    results.push(await end(window_));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return results;
}
