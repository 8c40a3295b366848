// Runs of equal keys: the points that store into one element, in order.

// The end of the run that begins at `first`: by steps that double, then by halving. Keys do not decrease.
template <class T> FUNCTION Int run_end(const T* keys, Int first, Int end) {
    const T key = load(keys, first);
    Int low = first, step = 1;  // what is at `low` is of the run
    while (step < end - low && load(keys, low + step) == key) {
        low += step;
        step *= 2;
    }
    Int high = step < end - low ? low + step : end;  // what is at `high` is not
    while (high - low > 1) {
        const Int middle = low + (high - low) / 2;
        if (load(keys, middle) == key) low = middle;
        else high = middle;
    }
    return high;
}
