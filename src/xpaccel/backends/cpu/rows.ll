; Nests that follow each other row by row (xpaccel.loops.chains): a function like that of a nest, whose ints are
;     0 how many nests there are     1 how many rows are taken at a time
;     2, 3, 4 of each nest: its function, its ints, its floats
; It needs no floats of its own.

define void @rows(ptr %ints, ptr %floats, i64 %low, i64 %high) {
entry:
  %count = load i64, ptr %ints
  %step.at = getelementptr i64, ptr %ints, i64 1
  %step = load i64, ptr %step.at
  %some = icmp slt i64 %low, %high
  br i1 %some, label %block, label %done

block:
  %row = phi i64 [ %low, %entry ], [ %stop, %next ]
  %end = add i64 %row, %step
  %stop = call i64 @llvm.smin.i64(i64 %end, i64 %high)
  br label %nest

nest:
  %k = phi i64 [ 0, %block ], [ %k.next, %nest ]
  %three = mul i64 %k, 3
  %place = add i64 %three, 2
  %function.at = getelementptr i64, ptr %ints, i64 %place
  %function = load ptr, ptr %function.at
  %ints.at = getelementptr i64, ptr %function.at, i64 1
  %its.ints = load ptr, ptr %ints.at
  %floats.at = getelementptr i64, ptr %function.at, i64 2
  %its.floats = load ptr, ptr %floats.at
  call void %function(ptr %its.ints, ptr %its.floats, i64 %row, i64 %stop)
  %k.next = add i64 %k, 1
  %more = icmp slt i64 %k.next, %count
  br i1 %more, label %nest, label %next

next:
  %rest = icmp slt i64 %stop, %high
  br i1 %rest, label %block, label %done

done:
  ret void
}

declare i64 @llvm.smin.i64(i64, i64)
