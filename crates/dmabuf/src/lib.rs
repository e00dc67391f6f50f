// SPDX-License-Identifier: GPL-2.0-only
//! drivers/dma-buf: buffers and their attachments, reservation objects, fences, the mapping helpers.
//!
//! Kernel dialect: C names, C order, explicit locks.

#![forbid(unsafe_code)]

pub mod dma_buf;
pub mod dma_buf_mapping;
pub mod dma_fence;
pub mod dma_fence_array;
pub mod dma_fence_chain;
pub mod dma_fence_unwrap;
pub mod dma_resv;
pub mod scatterlist;

/// Everything that exporters and importers call, under its C name.
pub mod prelude {
    pub use crate::dma_buf::*;
    pub use crate::dma_buf_mapping::*;
    pub use crate::dma_fence::*;
    pub use crate::dma_fence_array::*;
    pub use crate::dma_fence_chain::*;
    pub use crate::dma_fence_unwrap::*;
    pub use crate::dma_resv::*;
    pub use crate::scatterlist::*;
}

/// Where the text of the modelled functions is, so that traces can name the function of a place.
pub const SOURCES: &[(&str, &str)] = &[
    ("dmabuf/src/dma_buf.rs", include_str!("dma_buf.rs")),
    ("dmabuf/src/dma_buf_mapping.rs", include_str!("dma_buf_mapping.rs")),
    ("dmabuf/src/dma_fence.rs", include_str!("dma_fence.rs")),
    ("dmabuf/src/dma_fence_array.rs", include_str!("dma_fence_array.rs")),
    ("dmabuf/src/dma_fence_chain.rs", include_str!("dma_fence_chain.rs")),
    ("dmabuf/src/dma_fence_unwrap.rs", include_str!("dma_fence_unwrap.rs")),
    ("dmabuf/src/dma_resv.rs", include_str!("dma_resv.rs")),
];
