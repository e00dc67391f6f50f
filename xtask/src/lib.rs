// SPDX-License-Identifier: GPL-2.0-only
//! The house rules as programs.
//!
//! Each subcommand is a module with a function that takes a [`tree::Tree`] (the files of the repository, or a few
//! lines written in a test) and gives back a sorted list of [`finding::Finding`]s. Only [`cli`] prints and only
//! [`tree`], [`process`] and [`cite`] with `--kernel` touch the machine, so that every rule is
//! tested on a tree that must fail it and on one that must not.
//!
//! Reading order: the small shared parts first, then a module for each subcommand.
#![forbid(unsafe_code)]

pub mod error;
pub mod finding;
pub mod process;
pub mod tree;

pub mod c_functions;
pub mod c_text;
pub mod manifest;
pub mod rust_text;

pub mod cite;
pub mod revdiff;
pub mod tidy;

pub mod bless;
pub mod ci;
pub mod long;

pub mod cli;
