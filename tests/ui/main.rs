//! What compiles, what does not, and what the compiler says then. `tests/README.md` tells how to
//! bless new words.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

#[test]
fn what_does_not_compile_says_why() {
    trybuild::TestCases::new().compile_fail("ui/*/fail/*.rs");
}

/// Modules of this program, not programs of their own: they take a tenth of the time.
macro_rules! pass {
    ($($folder:ident: $($case:ident)+;)+) => {
        $(#[doc = "Cases of one kind."]
        pub mod $folder {
            #[doc = "Those that compile."]
            pub mod pass {
                $(#[doc = "A service that is protected as it says."]
                pub mod $case;

                #[test]
                fn $case() {
                    $case::main();
                })+
            }
        })+

        /// Of folder and file.
        const PASS: &[(&str, &str)] = &[$($((stringify!($folder), stringify!($case))),+),+];
    };
}

pass! {
    descriptor: generic_service names names_of_the_descriptor;
    injected: injected injected_below_async_trait;
    protect:
        above_async_trait all_kinds arc_self_and_default_stubs arc_self_below_async_trait
        async_trait_imported below_async_trait below_async_trait_imported cfg_attr_of_others
        cfg_on_methods const_scopes default_on_the_impl deny_warnings destructured_request
        generics_with_where_clause mod_core_in_scope names_of_ours_in_use no_implicit_prelude patterns
        patterns_below_async_trait renamed_crate rules_by_path server_by_path trait_by_path
        two_services_on_one_type;
    require: arc_self deny_warnings generic_below_async_trait made_by_a_macro renamed_crate;
}

#[test]
fn every_file_is_a_case() {
    let ui = Path::new(env!("CARGO_MANIFEST_DIR")).join("ui");
    let mut found = BTreeSet::new();
    for folder in fs::read_dir(ui).unwrap() {
        let folder = folder.unwrap();
        let Ok(files) = fs::read_dir(folder.path().join("pass")) else { continue };
        for file in files {
            let case = file.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned();
            found.insert((folder.file_name().into_string().unwrap(), case));
        }
    }
    let listed = PASS.iter().map(|(folder, case)| ((*folder).into(), (*case).into())).collect();
    assert_eq!(found, listed);
}
