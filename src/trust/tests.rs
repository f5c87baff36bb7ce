//! Every combination of keys, signatures, digest, bill of materials and strictness, against the rule as it is written
//! down here once more.

use std::fmt::Write as _;

use super::evidence::index_message;
use super::key::base64_of;
use super::*;
use crate::error::{Code, Error};

const DIGEST: [u8; 32] = [7; 32];
const MESSAGE: [u8; 32] = [9; 32];

/// Who signs: `Right` is the key that packs are signed with, `Stranger` is never configured.
struct Actors {
    right: PrivateKey,
    other: PrivateKey,
    stranger: PrivateKey,
}

impl Actors {
    fn new() -> Self {
        let of = |seed| PrivateKey::of_seed([seed; 32]);
        Self { right: of(1), other: of(2), stranger: of(3) }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Keys {
    None,
    Right,
    Other,
    Several,
}

/// A signature; `named` tells whether it says which key made it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Sig {
    Absent,
    Right { named: bool },
    OtherBytes { named: bool },
    Stranger { named: bool },
    Malformed,
}

const SIGS: [Sig; 8] = [
    Sig::Absent,
    Sig::Right { named: true },
    Sig::Right { named: false },
    Sig::OtherBytes { named: true },
    Sig::OtherBytes { named: false },
    Sig::Stranger { named: true },
    Sig::Stranger { named: false },
    Sig::Malformed,
];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Stated {
    Absent,
    Equal,
    Different,
}

#[derive(Clone, Copy, Debug)]
struct Case {
    keys: Keys,
    strictness: Strictness,
    digest: Stated,
    index: Sig,
    pack: Sig,
    sbom: Check,
}

fn cases() -> impl Iterator<Item = Case> {
    let keys = [Keys::None, Keys::Right, Keys::Other, Keys::Several];
    let strictnesses = [Strictness::ByKeys, Strictness::Strict, Strictness::Report];
    let digests = [Stated::Absent, Stated::Equal, Stated::Different];
    let sboms = [Check::Absent, Check::Matches, Check::Differs];
    keys.into_iter().flat_map(move |keys| {
        strictnesses.into_iter().flat_map(move |strictness| {
            digests.into_iter().flat_map(move |digest| {
                SIGS.into_iter().flat_map(move |index| {
                    SIGS.into_iter().flat_map(move |pack| {
                        sboms.into_iter().map(move |sbom| Case { keys, strictness, digest, index, pack, sbom })
                    })
                })
            })
        })
    })
}

/// What the rule says of a signature, in the four words of `docs/trust.md`.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Word {
    None,
    Valid,
    Unknown,
    Invalid,
}

impl Case {
    fn knows_right(self) -> bool {
        matches!(self.keys, Keys::Right | Keys::Several)
    }

    /// "A signature that a configured key made over these bytes is valid. One that names a key which is not configured
    /// is unknown. All others are invalid."
    fn word(self, sig: Sig) -> Word {
        match sig {
            Sig::Absent => Word::None,
            Sig::Right { .. } if self.knows_right() => Word::Valid,
            Sig::OtherBytes { named: true } if self.knows_right() => Word::Invalid,
            Sig::Right { named: true } | Sig::OtherBytes { named: true } | Sig::Stranger { named: true } => {
                Word::Unknown
            }
            Sig::Right { .. } | Sig::OtherBytes { .. } | Sig::Stranger { .. } | Sig::Malformed => Word::Invalid,
        }
    }

    /// "The signature in a pack is valid only if the pack is what its bill of materials says."
    fn pack_word(self) -> Word {
        match self.word(self.pack) {
            Word::Valid if self.sbom != Check::Matches => Word::Invalid,
            word => word,
        }
    }

    /// The code of the refusal under strict verification.
    fn objection(self) -> Option<Code> {
        if self.keys == Keys::None {
            return Some(Code::TrustWithoutKeys);
        }
        let words = [self.word(self.index), self.pack_word()];
        let invalid = words.iter().filter(|word| **word == Word::Invalid).count();
        match (self.sbom == Check::Differs, invalid) {
            (true, 0) => Some(Code::SbomMismatch),
            (false, 1) => Some(Code::SignatureInvalid),
            (false, 0) => (!words.contains(&Word::Valid)).then_some(Code::PackUntrusted),
            _ => Some(Code::PackUntrusted),
        }
    }

    fn is_strict(self) -> bool {
        match self.strictness {
            Strictness::ByKeys => self.keys != Keys::None,
            Strictness::Strict => true,
            Strictness::Report => false,
        }
    }
}

fn key_of(who: &PrivateKey, named: bool) -> Option<String> {
    named.then(|| who.public().fingerprint())
}

fn index_text(actors: &Actors, sig: Sig) -> Option<String> {
    let made = |who: &PrivateKey, digest: [u8; 32], named| {
        let signature = base64_of(&who.sign(index_message(&digest).as_bytes()));
        let key = key_of(who, named).map(|key| format!("ed25519:{key}:")).unwrap_or_default();
        Some(format!("{key}{signature}"))
    };
    match sig {
        Sig::Absent => None,
        Sig::Right { named } => made(&actors.right, DIGEST, named),
        Sig::OtherBytes { named } => made(&actors.right, [8; 32], named),
        Sig::Stranger { named } => made(&actors.stranger, DIGEST, named),
        Sig::Malformed => Some("ed25519:not a signature".to_owned()),
    }
}

fn pack_signature(actors: &Actors, sig: Sig) -> PackSignature {
    let made = |who: &PrivateKey, over: [u8; 32], named| {
        let (signature, key) = (who.sign(&over), key_of(who, named));
        PackSignature::Present(Box::new(SignedContent { signature, message: MESSAGE, key, certificate: None }))
    };
    match sig {
        Sig::Absent => PackSignature::Absent,
        Sig::Right { named } => made(&actors.right, MESSAGE, named),
        Sig::OtherBytes { named } => made(&actors.right, [8; 32], named),
        Sig::Stranger { named } => made(&actors.stranger, MESSAGE, named),
        Sig::Malformed => PackSignature::Unusable(Error::new(Code::SignatureInvalid, "it is malformed")),
    }
}

struct Prepared {
    index: Vec<Option<String>>,
    pack: Vec<PackSignature>,
}

fn place(sig: Sig) -> usize {
    SIGS.iter().position(|other| *other == sig).unwrap()
}

fn judged(actors: &Actors, prepared: &Prepared, case: Case) -> Judgement {
    let keys = match case.keys {
        Keys::None => vec![],
        Keys::Right => vec![actors.right.public()],
        Keys::Other => vec![actors.other.public()],
        Keys::Several => vec![actors.other.public(), actors.right.public()],
    };
    let digest = match case.digest {
        Stated::Absent => None,
        Stated::Equal => Some(index_message(&DIGEST).to_uppercase()),
        Stated::Different => Some(index_message(&[6; 32])),
    };
    let sbom = match case.sbom {
        Check::Absent => SbomState::Absent,
        Check::Matches => SbomState::Matches,
        Check::Differs => SbomState::Differs(vec![Error::new(Code::SbomMismatch, "\"a\" is not listed")]),
    };
    let stated = StatedOrigin { digest, signature: prepared.index[place(case.index)].clone() };
    let pack_signature = &prepared.pack[place(case.pack)];
    let evidence = Evidence { stated: &stated, digest: DIGEST, pack_signature, sbom: &sbom };
    judge(&TrustPolicy { keys, strictness: case.strictness }, &evidence)
}

#[test]
fn every_combination_of_key_signature_digest_bill_and_strictness() {
    let actors = Actors::new();
    let prepared = Prepared {
        index: SIGS.iter().map(|sig| index_text(&actors, *sig)).collect(),
        pack: SIGS.iter().map(|sig| pack_signature(&actors, *sig)).collect(),
    };
    let right = actors.right.public();
    let signed = |case: Case, sig: Sig, word: Word| match word {
        Word::None => Signed::Absent,
        Word::Invalid if sig == Sig::Malformed => Signed::Invalid,
        _ if case.keys == Keys::None => Signed::Unchecked,
        Word::Valid => Signed::Valid { key: right.id().to_owned() },
        Word::Unknown => Signed::UnknownKey,
        Word::Invalid => Signed::Invalid,
    };
    let (mut count, mut accepted) = (0, 0);
    for case in cases() {
        let judgement = judged(&actors, &prepared, case);
        let expected = Verification {
            strict: case.is_strict(),
            digest: match case.digest {
                Stated::Absent => Check::Absent,
                Stated::Equal => Check::Matches,
                Stated::Different => Check::Differs,
            },
            index_signature: signed(case, case.index, case.word(case.index)),
            pack_signature: signed(case, case.pack, case.pack_word()),
            sbom: case.sbom,
            certificate: None,
        };
        assert_eq!(judgement.verification, expected, "{case:?}");
        let (refusal, note) = match (case.digest, case.is_strict(), case.keys) {
            (Stated::Different, ..) => (Some(Code::DigestMismatch), None),
            (_, true, _) => (case.objection(), None),
            (_, false, Keys::None) => (None, None),
            (_, false, _) => (None, case.objection()),
        };
        assert_eq!(judgement.refusal.as_ref().map(Error::code), refusal, "{case:?}: {:?}", judgement.refusal);
        assert_eq!(judgement.note.as_ref().map(Error::code), note, "{case:?}: {:?}", judgement.note);
        for error in judgement.refusal.iter().chain(&judgement.note) {
            assert!(error.hint_text().is_some(), "{error}");
        }
        count += 1;
        accepted += usize::from(judgement.accepted().is_ok());
    }
    assert_eq!(count, 4 * 3 * 3 * 8 * 8 * 3);
    assert!(accepted > 0 && accepted < count);
}

/// The table of what strict verification does, which `docs/trust.md` shows. `UPDATE_TRUST=1` writes it anew.
#[test]
fn the_table_in_the_documentation_is_what_is_judged() {
    let actors = Actors::new();
    let prepared = Prepared {
        index: SIGS.iter().map(|sig| index_text(&actors, *sig)).collect(),
        pack: SIGS.iter().map(|sig| pack_signature(&actors, *sig)).collect(),
    };
    let words = [
        ("none", Sig::Absent),
        ("valid", Sig::Right { named: true }),
        ("unknown key", Sig::Stranger { named: true }),
        ("invalid", Sig::Malformed),
    ];
    let mut table =
        "| In the index | In the pack | Bill matches | No bill | Bill differs |\n| --- | --- | --- | --- | --- |\n"
            .to_owned();
    for (index_word, index) in words {
        for (pack_word, pack) in words {
            let cell = |sbom| {
                let (keys, strictness, digest) = (Keys::Right, Strictness::ByKeys, Stated::Absent);
                let judgement = judged(&actors, &prepared, Case { keys, strictness, digest, index, pack, sbom });
                judgement.refusal.map_or("accepted".to_owned(), |error| error.code().to_string())
            };
            let [matches, absent, differs] = [Check::Matches, Check::Absent, Check::Differs].map(cell);
            writeln!(table, "| {index_word} | {pack_word} | {matches} | {absent} | {differs} |").unwrap();
        }
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/trust.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (start, end) = ("<!-- table -->\n", "<!-- end of table -->");
    let (before, rest) = page.split_once(start).unwrap();
    let (written, after) = rest.split_once(end).unwrap();
    if std::env::var_os("UPDATE_TRUST").is_some() {
        std::fs::write(path, format!("{before}{start}{table}{end}{after}")).unwrap();
    } else {
        assert_eq!(written, table, "write it anew with UPDATE_TRUST=1");
    }
}

#[test]
fn digests_compare_as_whole_texts() {
    let digest = |stated: &str| {
        let stated = StatedOrigin { digest: Some(stated.to_owned()), signature: None };
        let (pack_signature, sbom) = (PackSignature::Absent, SbomState::Absent);
        let evidence = Evidence { stated: &stated, digest: DIGEST, pack_signature: &pack_signature, sbom: &sbom };
        judge(&TrustPolicy::default(), &evidence).verification.digest
    };
    let hex = hex::encode(DIGEST);
    assert_eq!(digest(&format!("sha256:{hex}")), Check::Matches);
    assert_eq!(digest(&format!("SHA256:{}", hex.to_uppercase())), Check::Matches);
    assert_eq!(digest(&hex), Check::Matches);
    for other in [
        "",
        "sha256:",
        &hex[..62],
        &format!("sha256:{}", &hex[..62]),
        &format!("blake3:{hex}"),
        &format!("sha256:{hex}0"),
    ] {
        assert_eq!(digest(other), Check::Differs, "{other}");
    }
}

#[test]
fn several_findings_are_told_together_and_foreign_text_is_clipped() {
    let actors = Actors::new();
    let stated = StatedOrigin { digest: None, signature: Some("junk".to_owned()) };
    let why = Error::new(Code::SignatureInvalid, "it is malformed");
    let (pack_signature, sbom) =
        (PackSignature::Unusable(why), SbomState::Differs(vec![Error::new(Code::SbomMismatch, "x differs")]));
    let evidence = Evidence { stated: &stated, digest: DIGEST, pack_signature: &pack_signature, sbom: &sbom };
    let policy = TrustPolicy { keys: vec![actors.right.public()], strictness: Strictness::ByKeys };
    insta::assert_snapshot!("refusal", judge(&policy, &evidence).refusal.unwrap());

    let signed = SignedContent {
        signature: actors.stranger.sign(&MESSAGE),
        message: MESSAGE,
        key: Some("k".repeat(10_000)),
        certificate: None,
    };
    let (stated, pack_signature) = (StatedOrigin::default(), PackSignature::Present(Box::new(signed)));
    let evidence = Evidence { stated: &stated, digest: DIGEST, pack_signature: &pack_signature, sbom: &sbom };
    let policy = TrustPolicy { strictness: Strictness::Report, ..policy };
    assert!(judge(&policy, &evidence).note.unwrap().to_string().len() < 1000);
}

#[test]
fn reports_have_their_published_form() {
    let verification = Verification {
        strict: true,
        digest: Check::Matches,
        index_signature: Signed::Valid { key: "k-1".to_owned() },
        pack_signature: Signed::UnknownKey,
        sbom: Check::Absent,
        certificate: Some(Certificate { subject: "CN=x".to_owned(), key_fingerprint: None }),
    };
    insta::assert_json_snapshot!("report", verification);
}

#[test]
fn the_first_certificate_of_a_chain_is_told_about() {
    let pem = include_bytes!("../../fuzz/corpus/signature/chain");
    let key = PublicKey::parse("Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE").unwrap();
    let found = Certificate::first(pem).unwrap();
    assert_eq!(found.subject, "CN=greentic-dev-local");
    assert_eq!(found.key_fingerprint, Some(key.fingerprint()));
    for other in [&b""[..], b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", &pem[..100]] {
        assert_eq!(Certificate::first(other), None);
    }
}
