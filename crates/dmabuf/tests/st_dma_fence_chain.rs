// SPDX-License-Identifier: GPL-2.0-only
//! The cases of drivers/dma-buf/st-dma-fence-chain.c, by name: 11 of 11.
//!
//! The kernel's chains have 64 or 4096 nodes; here 16 where one task works, and 2 or 3 where tasks race, in all
//! interleavings. Random numbers are choices, each of which is explored. Fences come from kzalloc, not from a
//! cache of their own.

mod common;

use common::*;
use dmabuf::prelude::*;
use kernel_model::prelude::*;

fn mock_fence() -> Kptr<DmaFence> {
    mock_fence_on(0, 0)
}

fn mock_chain(prev: Option<Kptr<DmaFence>>, fence: Kptr<DmaFence>, seqno: u64) -> Kptr<DmaFence> {
    let f = dma_fence_chain_alloc().expect("memory");
    dma_fence_chain_init(f, prev.map(dma_fence_get), dma_fence_get(fence), seqno);
    f.member(|c| &c.base)
}

#[derive(Clone)]
struct FenceChains {
    fences: Vec<Kptr<DmaFence>>,
    chains: Vec<Kptr<DmaFence>>,
}

impl FenceChains {
    fn tail(&self) -> Kptr<DmaFence> {
        *self.chains.last().expect("a chain has a tail")
    }

    /// `dma_fence_chain_find_seqno()` from a fence; the reference to what is found is dropped.
    fn find(&self, from: Kptr<DmaFence>, seqno: u64) -> KResult<Option<Kptr<DmaFence>>> {
        let mut fence = Some(dma_fence_get(from));
        let ret = dma_fence_chain_find_seqno(&mut fence, seqno);
        if let Some(fence) = fence {
            dma_fence_put(fence);
        }
        ret.map(|()| fence)
    }
}

fn seqno_inc(i: u64) -> u64 {
    i + 1
}

fn seqno_inc2(i: u64) -> u64 {
    2 * i + 2
}

fn fence_chains_init(count: u64, seqno_fn: fn(u64) -> u64) -> FenceChains {
    let mut fc = FenceChains { fences: Vec::new(), chains: Vec::new() };
    for i in 0..count {
        let fence = mock_fence();
        let chain = mock_chain(fc.chains.last().copied(), fence, seqno_fn(i));
        dma_fence_enable_signaling(chain);
        fc.fences.push(fence);
        fc.chains.push(chain);
    }
    fc
}

fn fence_chains_fini(fc: &FenceChains) {
    for fence in &fc.fences {
        dma_fence_signal(*fence);
        dma_fence_put(*fence);
    }
    for chain in &fc.chains {
        dma_fence_put(*chain);
    }
}

/// A case of one task, over chains of 16.
#[track_caller]
fn one_task(name: &str, count: u64, seqno_fn: fn(u64) -> u64, body: fn(&FenceChains)) {
    check(name, 1, move || {
        let fc = fence_chains_init(count, seqno_fn);
        body(&fc);
        fence_chains_fini(&fc);
    });
}

#[test]
fn test_sanitycheck() {
    check("chain sanitycheck", 1, || {
        let f = mock_fence();
        let chain = mock_chain(None, f, 1);
        dma_fence_enable_signaling(chain);
        dma_fence_signal(f);
        dma_fence_put(f);
        dma_fence_put(chain);
    });
}

#[test]
fn test_find_seqno() {
    one_task("find_seqno", 16, seqno_inc, |fc| {
        assert_eq!(fc.find(fc.tail(), 0), Ok(Some(fc.tail())));
        for (i, chain) in fc.chains.iter().enumerate() {
            let seqno = i as u64 + 1;
            assert_eq!(fc.find(fc.tail(), seqno), Ok(Some(*chain)));
            assert_eq!(fc.find(*chain, seqno), Ok(Some(*chain)), "find self");
            assert_eq!(fc.find(*chain, seqno + 1), Err(EINVAL), "a future fence");
            let previous = fc.find(*chain, seqno - 1).expect("a previous fence");
            if i > 0 {
                assert_eq!(previous, Some(fc.chains[i - 1]));
            }
        }
    });
}

#[test]
fn test_find_signaled() {
    one_task("find_signaled", 2, seqno_inc, |fc| {
        dma_fence_signal(fc.fences[0]);
        let found = fc.find(fc.tail(), 1).expect("seqno 1 is known");
        assert!(found.is_none_or(|f| f == fc.chains[0]), "{found:?}");
    });
}

#[test]
fn test_find_out_of_order() {
    one_task("find_out_of_order", 3, seqno_inc, |fc| {
        dma_fence_signal(fc.fences[1]);
        // Fence 2 is dropped by the walk; what is left to wait for is fence 1.
        assert_eq!(fc.find(fc.tail(), 2), Ok(Some(fc.chains[0])));
    });
}

#[test]
fn test_find_gap() {
    one_task("find_gap", 16, seqno_inc2, |fc| {
        for (i, chain) in fc.chains.iter().enumerate() {
            let i = i as u64;
            assert_eq!(fc.find(fc.tail(), 2 * i + 1), Ok(Some(*chain)));
            assert_eq!(fc.find(*chain, 2 * i + 2), Ok(Some(*chain)), "find self");
        }
    });
}

fn find_race(fc: &FenceChains) {
    let len = fc.chains.len() as u64;
    let seqno = u64::from(explorer::choose(len as u32)) + 1;
    let mut fence = Some(dma_fence_get(fc.tail()));
    assert_eq!(dma_fence_chain_find_seqno(&mut fence, seqno), Ok(()));
    if let Some(found) = fence {
        // We can only find ourselves if we are on the fence that we were looking for.
        if found.seqno.get() == seqno {
            assert_eq!(dma_fence_chain_find_seqno(&mut fence, seqno), Ok(()), "find self");
        }
        if let Some(fence) = fence {
            dma_fence_put(fence);
        }
    }
    let signaled = explorer::choose(fc.fences.len() as u32 - 1);
    dma_fence_signal(fc.fences[signaled as usize]);
}

#[test]
fn test_find_race() {
    check("find_race", 117_262, || {
        let fc = fence_chains_init(2, seqno_inc);
        let thread = |name| {
            let fc = fc.clone();
            explorer::spawn(name, move || find_race(&fc))
        };
        let threads = [thread("dmabuf/0"), thread("dmabuf/1")];
        threads.into_iter().for_each(explorer::JoinHandle::join);
        fence_chains_fini(&fc);
    });
}

#[test]
fn test_signal_forward() {
    one_task("signal_forward", 16, seqno_inc, |fc| {
        for i in 0..fc.chains.len() {
            dma_fence_signal(fc.fences[i]);
            assert!(dma_fence_is_signaled(fc.chains[i]), "chain[{i}] is not signaled");
            if let Some(next) = fc.chains.get(i + 1) {
                assert!(!dma_fence_is_signaled(*next), "chain[{}] is signaled", i + 1);
            }
        }
    });
}

#[test]
fn test_signal_backward() {
    one_task("signal_backward", 16, seqno_inc, |fc| {
        for i in (0..fc.chains.len()).rev() {
            dma_fence_signal(fc.fences[i]);
            assert!(i == 0 || !dma_fence_is_signaled(fc.chains[i]), "chain[{i}] is signaled");
        }
        for (i, chain) in fc.chains.iter().enumerate() {
            assert!(dma_fence_is_signaled(*chain), "chain[{i}] is not signaled");
        }
    });
}

/// A task waits for the tail while the fences are signaled in the order that `order` makes of them.
#[track_caller]
fn wait_while_signaling(name: &str, executions: u64, order: fn(Vec<Kptr<DmaFence>>) -> Vec<Kptr<DmaFence>>) {
    check(name, executions, move || {
        let fc = fence_chains_init(3, seqno_inc);
        let tail = fc.tail();
        let waiter = explorer::spawn("dmabuf/wait", move || {
            assert_eq!(dma_fence_wait(tail, false), Ok(()));
        });
        for fence in order(fc.fences.clone()) {
            dma_fence_signal(fence);
        }
        waiter.join();
        fence_chains_fini(&fc);
    });
}

#[test]
fn test_wait_forward() {
    wait_while_signaling("wait_forward", 3, |fences| fences);
}

#[test]
fn test_wait_backward() {
    wait_while_signaling("wait_backward", 3, |fences| fences.into_iter().rev().collect());
}

#[test]
fn test_wait_random() {
    wait_while_signaling("wait_random", 18, |mut fences| {
        let mut order = Vec::new();
        while !fences.is_empty() {
            order.push(fences.remove(explorer::choose(fences.len() as u32) as usize));
        }
        order
    });
}

#[test]
fn a_wait_for_a_chain_that_nobody_signals_is_a_hung_task() {
    fires("wait for ever", "waits to schedule", || {
        let fc = fence_chains_init(2, seqno_inc);
        dma_fence_signal(fc.fences[1]);
        assert_eq!(dma_fence_wait(fc.tail(), false), Ok(()));
    });
}
