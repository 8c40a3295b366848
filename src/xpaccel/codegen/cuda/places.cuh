// Computed positions: what NumPy's indices mean, and who is told where one is out of bounds.

// Whether an index is outside of an axis of `size`, as place() takes it.
FUNCTION bool outside(int64 index, Int size) { return index < -(int64)size || index >= (int64)size; }
// Where an index points to; element 0 where it is outside.
FUNCTION Int place(int64 index, Int size, bool is_outside) {
    return is_outside ? (Int)0 : (Int)(index < 0 ? index + size : index);
}
// The host reads this word; whoever sees that it is taken leaves it. Only wrong programs come here.
FUNCTION void report(volatile int32* status, int32 site) {
    if (*status == 0) *status = site;
}
