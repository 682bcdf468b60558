// How likely a difference from a chosen run is chance: paired, question by question, through the averages.
//
// If for every question it were left to chance which run gave which answer, the difference would have mean 0 and the
// variance computed here: that of `lm-eval-ja compare`'s permutations, without drawing them, and taken to be normal.

/** The weights of the leaves in a score: every column is the mean of its members, each on its own scale. */
function leafWeights(own, name, weight = 1) {
  const column = columnOf(own, name);
  const members = own.columns.filter((other) => other.parent === name);
  if (!members.length) return new Map([[name, weight]]);
  const found = new Map();
  for (const member of members) {
    const share = (weight / members.length) * (column.scale / member.scale);
    for (const [leaf, part] of leafWeights(own, member.name, share)) found.set(leaf, (found.get(leaf) ?? 0) + part);
  }
  return found;
}

/** Scores of both runs to the questions of a leaf that both have a score for. */
function pairedScores(leaf, a, b) {
  const pairs = [];
  for (const own of core.sets) {
    const category = own.leaves.indexOf(leaf);
    const [first, second] = [own.runs[a], own.runs[b]];
    if (category < 0 || !first || !second) continue;
    for (let at = 0; at < own.ids.length; at += 1) {
      if (own.leaves.length > 1 && own.category[at] !== category) continue;
      const [x, y] = [first.scores[at], second.scores[at]];
      if (x !== null && y !== null) pairs.push([x, y]);
    }
  }
  return pairs;
}

/** Difference of a run from another in a score, and its two-sided p-value; null where it can't be told from questions. */
function difference(own, name, a, b) {
  const [shownA, shownB] = [a, b].map((run) => rowIn(own, run)?.scores[name]?.[0]);
  if (shownA === undefined || shownB === undefined) return null;
  let [sum, variance, fromA] = [0, 0, 0];
  for (const [leaf, weight] of leafWeights(own, name)) {
    const pairs = pairedScores(leaf, a, b);
    if (!pairs.length) return null;
    for (const [x, y] of pairs) {
      sum += (weight * (y - x)) / pairs.length;
      variance += ((weight * (y - x)) / pairs.length) ** 2;
      fromA += (weight * x) / pairs.length;
    }
  }
  const { scale } = columnOf(own, name);
  // Questions that don't add up to the score shown (some unlogged, another kind of mean) can't explain it.
  if (Math.abs(fromA - shownA) > 0.002 * scale || Math.abs(sum - (shownB - shownA)) > 0.002 * scale) return null;
  return { difference: sum, p: variance ? twoSided(Math.abs(sum) / Math.sqrt(variance)) : 1 };
}

/** Probability of a normal variable at least that far from its mean (complementary error function, error below 2e-7). */
function twoSided(z) {
  const x = z / Math.SQRT2;
  const u = 1 / (1 + x / 2);
  const series = [-1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587, -0.82215223, 0.17087277];
  return u * Math.exp(-x * x + series.reduceRight((sum, coefficient) => sum * u + coefficient, 0));
}

const rowIn = (own, run) => own.rows.find((row) => row.run === run);

/** Every shown run against the baseline in the score that ranks; p-values adjusted (Holm) for all of them together. */
function againstBaseline(own, rows) {
  const found = new Map();
  if (state.baseline === null || !rowIn(own, state.baseline)) return found;
  const { name } = rankingColumn(own);
  for (const row of rows) {
    const one = row.run === state.baseline ? null : difference(own, name, state.baseline, row.run);
    if (one) found.set(row.run, one);
  }
  const ordered = [...found.values()].sort((x, y) => x.p - y.p);
  let most = 0;
  for (const [at, one] of ordered.entries()) {
    most = Math.max(most, Math.min(1, one.p * (ordered.length - at)));
    one.adjusted = most;
  }
  return found;
}
