// SPDX-License-Identifier: MIT OR Apache-2.0
//! S1 and S2 for loom and for shuttle: the same tasks and the same operations, with their types.

/// One copy of the models for each library, whose modules have the same names.
macro_rules! models {
    ($library:ident) => {
        pub(crate) mod $library {
            use std::sync::Arc;

            use $library::sync::atomic::{AtomicU32, Ordering::SeqCst};
            use $library::sync::{Mutex, RwLock};
            use $library::thread::spawn;

            /// See [`super::super::s1`].
            pub(crate) fn s1(k: usize) {
                let x = Arc::new(Mutex::new(0u32));
                let task = || {
                    let x = Arc::clone(&x);
                    move || {
                        for _ in 0..k {
                            *x.lock().unwrap() += 1;
                        }
                    }
                };
                let tasks: Vec<_> = (0..3).map(|_| spawn(task())).collect();
                tasks.into_iter().for_each(|t| t.join().unwrap());
                assert_eq!(*x.lock().unwrap(), 3 * k as u32);
            }

            struct World {
                memory_lock: RwLock<()>,
                resv: Mutex<()>,
                revoked: AtomicU32,
                mappings: AtomicU32,
                pte: AtomicU32,
            }

            fn mapper(w: &World) {
                if w.revoked.load(SeqCst) != 0 {
                    return;
                }
                let _resv = w.resv.lock().unwrap();
                if w.revoked.load(SeqCst) == 0 {
                    w.mappings.fetch_add(1, SeqCst);
                }
            }

            fn revoker(w: &World) {
                let _memory = w.memory_lock.write().unwrap();
                let _resv = w.resv.lock().unwrap();
                w.revoked.store(1, SeqCst);
                w.mappings.store(0, SeqCst);
                w.pte.store(0, SeqCst);
            }

            fn faulter(w: &World) {
                let _memory = w.memory_lock.read().unwrap();
                if w.revoked.load(SeqCst) == 0 {
                    w.pte.store(1, SeqCst);
                }
            }

            /// See [`super::super::s2`].
            pub(crate) fn s2(more: usize) {
                let w = Arc::new(World {
                    memory_lock: RwLock::new(()),
                    resv: Mutex::new(()),
                    revoked: AtomicU32::new(0),
                    mappings: AtomicU32::new(0),
                    pte: AtomicU32::new(0),
                });
                let tasks = [mapper, revoker, faulter].into_iter();
                let more = (0..more).map(|i| if i % 2 == 0 { mapper as fn(&World) } else { faulter });
                let start = |f: fn(&World)| {
                    let w = Arc::clone(&w);
                    spawn(move || f(&w))
                };
                let tasks: Vec<_> = tasks.chain(more).map(start).collect();
                tasks.into_iter().for_each(|t| t.join().unwrap());
                assert_eq!((w.mappings.load(SeqCst), w.pte.load(SeqCst)), (0, 0));
            }
        }
    };
}

models!(loom);
models!(shuttle);
