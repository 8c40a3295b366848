; A team of threads that run pieces of a nest, without Python: see threads.py.
;
; A sleeping thread takes 10 to 50 microseconds to wake, longer than many nests run. So a worker that has
; finished, and a caller whose own piece is done, look for what they wait for a while (`spins` times)
; before they sleep. Neither needs Python's global lock for it.
;
; One worker is 256 bytes; the caller writes the first line, the worker the second:
;     0 job        how many jobs were given       8 function   16 ints   24 floats   32 low   40 high
;    56 dozing     the worker sleeps, or is about to
;    64 done       how many jobs are finished     72 waiting    the caller sleeps, or is about to
;   128 mutex     192 condition                   (pthread's; both are at most 64 bytes)
;
; Who sleeps first says so, then looks once more; who gives or finishes a job first does so, then looks
; whether the other sleeps. All four are sequentially consistent, so one of the two sees the other.

declare i32 @pthread_mutex_init(ptr, ptr)
declare i32 @pthread_mutex_lock(ptr)
declare i32 @pthread_mutex_unlock(ptr)
declare i32 @pthread_cond_init(ptr, ptr)
declare i32 @pthread_cond_wait(ptr, ptr)
declare i32 @pthread_cond_broadcast(ptr)

; Tell the processor that this is a loop that waits; the loader gives it the processor's own instruction.
define internal void @pause() alwaysinline {
  PAUSE
  ret void
}

; Make a worker of 256 zero bytes.
define void @initialise(ptr %worker) {
  %mutex = getelementptr i8, ptr %worker, i64 128
  %condition = getelementptr i8, ptr %worker, i64 192
  call i32 @pthread_mutex_init(ptr %mutex, ptr null)
  call i32 @pthread_cond_init(ptr %condition, ptr null)
  ret void
}

; Wait until `counter`, which belongs to `worker`, is no longer `old` (a value it never has again).
define internal void @await(ptr %worker, ptr %counter, i64 %old, ptr %sleeping, i64 %spins) noinline {
entry:
  br label %look
look:
  %left = phi i64 [ %spins, %entry ], [ %less, %pause ]
  %now = load atomic i64, ptr %counter acquire, align 8
  %same = icmp eq i64 %now, %old
  br i1 %same, label %pause, label %end
pause:
  call void @pause()
  %less = sub i64 %left, 1
  %more = icmp sgt i64 %less, 0
  br i1 %more, label %look, label %lie_down
lie_down:
  %mutex = getelementptr i8, ptr %worker, i64 128
  %condition = getelementptr i8, ptr %worker, i64 192
  call i32 @pthread_mutex_lock(ptr %mutex)
  store atomic i64 1, ptr %sleeping seq_cst, align 8
  br label %look_again
look_again:
  %later = load atomic i64, ptr %counter seq_cst, align 8
  %still = icmp eq i64 %later, %old
  br i1 %still, label %sleep, label %rise
sleep:
  call i32 @pthread_cond_wait(ptr %condition, ptr %mutex)
  br label %look_again
rise:
  store atomic i64 0, ptr %sleeping seq_cst, align 8
  call i32 @pthread_mutex_unlock(ptr %mutex)
  br label %end
end:
  ret void
}

; Set `counter` and wake who sleeps for it.
define internal void @announce(ptr %worker, ptr %counter, i64 %value, ptr %sleeping) {
  store atomic i64 %value, ptr %counter seq_cst, align 8
  %asleep = load atomic i64, ptr %sleeping seq_cst, align 8
  %wake = icmp ne i64 %asleep, 0
  br i1 %wake, label %call, label %end
call:
  %mutex = getelementptr i8, ptr %worker, i64 128
  %condition = getelementptr i8, ptr %worker, i64 192
  call i32 @pthread_mutex_lock(ptr %mutex)
  call i32 @pthread_cond_broadcast(ptr %condition)
  call i32 @pthread_mutex_unlock(ptr %mutex)
  br label %end
end:
  ret void
}

; The life of a worker: it never ends.
define void @serve(ptr %worker, i64 %spins) {
entry:
  %function_at = getelementptr i8, ptr %worker, i64 8
  %ints_at = getelementptr i8, ptr %worker, i64 16
  %floats_at = getelementptr i8, ptr %worker, i64 24
  %low_at = getelementptr i8, ptr %worker, i64 32
  %high_at = getelementptr i8, ptr %worker, i64 40
  %dozing = getelementptr i8, ptr %worker, i64 56
  %done = getelementptr i8, ptr %worker, i64 64
  %waiting = getelementptr i8, ptr %worker, i64 72
  br label %next
next:
  %last = phi i64 [ 0, %entry ], [ %this, %next ]
  call void @await(ptr %worker, ptr %worker, i64 %last, ptr %dozing, i64 %spins)
  %this = add i64 %last, 1
  %function = load ptr, ptr %function_at, align 8
  %ints = load i64, ptr %ints_at, align 8
  %floats = load i64, ptr %floats_at, align 8
  %low = load i64, ptr %low_at, align 8
  %high = load i64, ptr %high_at, align 8
  call void %function(i64 %ints, i64 %floats, i64 %low, i64 %high)
  call void @announce(ptr %worker, ptr %done, i64 %this, ptr %waiting)
  br label %next
}

; Cut [low, high) into equal pieces, give one to each of `workers`, run the last one here, and wait.
define void @run(ptr %team, i64 %workers, ptr %function, i64 %ints, i64 %floats, i64 %low, i64 %high, i64 %spins) {
entry:
  %length = sub i64 %high, %low
  %pieces = add i64 %workers, 1
  %size = sdiv i64 %length, %pieces
  %extra = srem i64 %length, %pieces
  br label %give
give:
  %k = phi i64 [ 0, %entry ], [ %k_next, %give ]
  %start = phi i64 [ %low, %entry ], [ %stop, %give ]
  %longer = icmp slt i64 %k, %extra
  %one = zext i1 %longer to i64
  %piece = add i64 %size, %one
  %stop = add i64 %start, %piece
  %offset = shl i64 %k, 8
  %worker = getelementptr i8, ptr %team, i64 %offset
  %function_at = getelementptr i8, ptr %worker, i64 8
  %ints_at = getelementptr i8, ptr %worker, i64 16
  %floats_at = getelementptr i8, ptr %worker, i64 24
  %low_at = getelementptr i8, ptr %worker, i64 32
  %high_at = getelementptr i8, ptr %worker, i64 40
  %dozing = getelementptr i8, ptr %worker, i64 56
  store ptr %function, ptr %function_at, align 8
  store i64 %ints, ptr %ints_at, align 8
  store i64 %floats, ptr %floats_at, align 8
  store i64 %start, ptr %low_at, align 8
  store i64 %stop, ptr %high_at, align 8
  %given = load i64, ptr %worker, align 8
  %job = add i64 %given, 1
  call void @announce(ptr %worker, ptr %worker, i64 %job, ptr %dozing)
  %k_next = add i64 %k, 1
  %more = icmp slt i64 %k_next, %workers
  br i1 %more, label %give, label %own
own:
  call void %function(i64 %ints, i64 %floats, i64 %stop, i64 %high)
  br label %wait
wait:
  %w = phi i64 [ 0, %own ], [ %w_next, %wait ]
  %w_offset = shl i64 %w, 8
  %other = getelementptr i8, ptr %team, i64 %w_offset
  %w_job = load i64, ptr %other, align 8
  %w_before = sub i64 %w_job, 1
  %done = getelementptr i8, ptr %other, i64 64
  %waiting = getelementptr i8, ptr %other, i64 72
  call void @await(ptr %other, ptr %done, i64 %w_before, ptr %waiting, i64 %spins)
  %w_next = add i64 %w, 1
  %w_more = icmp slt i64 %w_next, %workers
  br i1 %w_more, label %wait, label %end
end:
  ret void
}

; Look `spins` times at a counter of its own, to find out how long that takes.
define void @spin(i64 %spins) {
entry:
  br label %pause
pause:
  %left = phi i64 [ %spins, %entry ], [ %less, %pause ]
  call void @pause()
  %less = sub i64 %left, 1
  %more = icmp sgt i64 %less, 0
  br i1 %more, label %pause, label %end
end:
  ret void
}
