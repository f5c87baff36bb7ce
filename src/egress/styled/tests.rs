use proptest::prelude::*;
use serde_json::json;

use super::*;

fn read(text: &str, format: &str, links: Links) -> Styled {
    let mut messages = Message::of_reply(&json!({"text": text, "format": format}));
    Styled::of(&messages.remove(0), links)
}

/// The text with its marks shown as tags.
fn shown(styled: &Styled) -> String {
    let mut tags: Vec<(usize, bool, usize, String)> = Vec::new();
    for (place, Mark { span, style }) in styled.marks.iter().enumerate() {
        let name = match style {
            Style::Link(url) => url.clone(),
            Style::Pre(Some(language)) => format!("pre:{language}"),
            Style::Pre(None) => "pre".to_owned(),
            other => format!("{other:?}").to_lowercase(),
        };
        tags.push((span.end, false, usize::MAX - place, "}".to_owned()));
        tags.push((span.start, true, place, format!("{{{name}:")));
    }
    tags.sort();
    let mut out = styled.text.clone();
    for (at, _, _, tag) in tags.into_iter().rev() {
        out.insert_str(at, &tag);
    }
    out
}

#[test]
fn a_message_says_how_its_text_is_written() {
    for (fields, expected) in [
        (json!({}), Format::Plain),
        (json!({"format": "markdown"}), Format::Markdown),
        (json!({"textFormat": "Markdown"}), Format::Markdown),
        (json!({"textFormat": "plain", "parse_mode": "HTML"}), Format::Plain),
        (json!({"textFormat": "xml"}), Format::Html),
        (json!({"parse_mode": "HTML"}), Format::Html),
        (json!({"parse_mode": "MarkdownV2"}), Format::TelegramMarkdown),
        (json!({"parse_mode": "Markdown", "format": "markdown"}), Format::Markdown),
        (json!({"format": 7}), Format::Plain),
    ] {
        assert_eq!(Format::of(&Message::of_reply(&fields)[0]), expected, "{fields}");
    }
}

#[test]
fn markdown_is_read() {
    for (text, expected) in [
        ("plain *it* **bo _both_** ~~no~~ `a*b`", "plain {italic:it} {bold:bo {italic:both}} {strike:no} {code:a*b}"),
        (
            "[here](https://a.example) <https://b.example>",
            "{https://a.example:here} {https://b.example:https://b.example}",
        ),
        ("[mail](mailto:a@b.example)", "mail (mailto:a@b.example)"),
        ("![](https://a.example/i.png)", "https://a.example/i.png"),
        ("# Title\ntext\nmore\n\n\nlast", "{bold:Title}\n\ntext\nmore\n\nlast"),
        ("- one\n- two\n  1. deep\n- three", "• one\n• two\n  1. deep\n• three"),
        ("7. a\n8. b", "7. a\n8. b"),
        ("> said\n\nanswer", "{quote:said}\n\nanswer"),
        ("```rust\nlet x = 1;\n```\nafter", "{pre:rust:let x = 1;}\n\nafter"),
        ("2 * 3 * 4 and snake_case_name", "2 * 3 * 4 and snake_case_name"),
        (r"\*no\* a < b <b>raw</b>", "*no* a < b <b>raw</b>"),
        ("a\n\n---\n\nb", "a\n\n———\n\nb"),
        ("** open", "** open"),
        ("", ""),
    ] {
        assert_eq!(shown(&read(text, "markdown", Links::Marked)), expected, "{text:?}");
    }
    let telegrams = read("*bold* _it_ __under__ ~no~ \\. 1\\!", "markdownv2", Links::Marked);
    assert_eq!(shown(&telegrams), "{bold:bold} {italic:it} {underline:under} {strike:no} . 1!");
}

#[test]
fn html_is_read() {
    for (text, expected) in [
        (
            "<b>bo <i>both</i></b> a < b &lt;x&gt; &amp;amp; &#65;&#x42; &nope; &",
            "{bold:bo {italic:both}} a < b <x> &amp; AB &nope; &",
        ),
        (
            r#"<a href="https://a.example/?x=1&amp;y=2">here</a> <A HREF='https://b.example'>x</A>"#,
            "{https://a.example/?x=1&y=2:here} {https://b.example:x}",
        ),
        ("<a>nowhere</a> <a href='javascript:x'>js</a>", "nowhere js (javascript:x)"),
        ("one<br/>two<p>three</p><p>four</p>", "one\ntwo\n\nthree\n\nfour"),
        ("<ul><li>a</li><li>b</li></ul>", "• a\n• b"),
        ("<h1>T</h1>text <u>u</u> <s>s</s> <code>c</code>", "{bold:T}\n\ntext {underline:u} {strike:s} {code:c}"),
        (
            "<span class=\"tg-spoiler\">x</span> <span>y</span> <tg-spoiler>z</tg-spoiler>",
            "{spoiler:x} <span>y {spoiler:z}",
        ),
        ("<name> is <3 <!-- kept -->", "<name> is <3 <!-- kept -->"),
        ("<b>never <i>closed", "{bold:never {italic:closed}}"),
        ("<b>over<i>lap</b>ped</i>", "{bold:over{italic:lap}}ped"),
        ("</b>only", "only"),
        ("<b", "<b"),
    ] {
        assert_eq!(shown(&read(text, "html", Links::Marked)), expected, "{text:?}");
    }
}

#[test]
fn links_may_be_spelled_out() {
    let spelled = read("[here](https://a.example) <https://b.example>", "markdown", Links::Spelled);
    assert_eq!(shown(&spelled), "here (https://a.example) https://b.example");
}

#[test]
fn a_mark_over_a_cut_is_in_both_pieces() {
    let styled = read("**one two three** four", "markdown", Links::Marked);
    let pieces: Vec<_> = styled.split(8, str::len).iter().map(shown).collect();
    assert_eq!(pieces, ["{bold:one two}", "{bold:three}", "four"]);
}

proptest! {
    #[test]
    fn any_text_is_read_and_marks_are_parts_of_it(text in "[ab<>/&;*_~`#>\\-\\[\\]()! \n:ä😀\"'=]{0,60}", format in "(markdown|markdownv2|html|plain)") {
        for links in [Links::Marked, Links::Spelled] {
            let styled = read(&text, &format, links);
            for piece in styled.split(7, |text| text.encode_utf16().count()).iter().chain([&styled]) {
                for Mark { span, .. } in &piece.marks {
                    prop_assert!(piece.text.get(span.clone()).is_some_and(|part| !part.trim().is_empty()), "{piece:?}");
                }
                // One within the other, or apart.
                for (a, b) in piece.marks.iter().flat_map(|a| piece.marks.iter().map(move |b| (&a.span, &b.span))) {
                    let apart = a.end <= b.start || b.end <= a.start;
                    let within = (a.start <= b.start && b.end <= a.end) || (b.start <= a.start && a.end <= b.end);
                    prop_assert!(apart || within, "{piece:?}");
                }
            }
        }
        if format == "plain" {
            prop_assert_eq!(read(&text, &format, Links::Marked).text, text);
        }
    }
}
