//! Servers that misbehave: a shell script that speaks on its standard streams, with one way to answer calls.

/// The block of a server `bad`, a script that greets as it should, lists the tools `x` and `y`, and answers calls by the
/// command `behaviour`, which finds the request's id in `$id`. Each start adds a line to `$STARTS`; once there is a file
/// `$STARTS.z`, it has a tool `z` too.
pub(crate) fn script(behaviour: &str, starts: &str, more: &str) -> String {
    let program = format!(
        r#"echo start >> "$STARTS"
tool() {{ printf '{{"name":"%s","inputSchema":{{"type":"object"}}}}' "$1"; }}
later() {{ [ ! -e "$STARTS.z" ] || printf ',%s' "$(tool z)"; }}
answer() {{ printf '{{"jsonrpc":"2.0","id":%s,"result":%s}}\n' "$id" "$1"; }}
while read -r line; do
  id=$(printf '%s' "$line" | sed -n 's/.*"id":\([0-9]*\).*/\1/p')
  case "$line" in
    *'"method":"initialize"'*) answer '{{"protocolVersion":"2025-06-18","capabilities":{{"tools":{{}}}},"serverInfo":{{"name":"bad","version":"1"}}}}' ;;
    *'"method":"tools/list"'*) answer "{{\"tools\":[$(tool x),$(tool y)$(later)]}}" ;;
    *'"method":"tools/call"'*) {behaviour} ;;
  esac
done
"#
    );
    let program: String = program.lines().map(|line| format!("          {line}\n")).collect();
    format!(
        "  servers:\n    bad:\n      command: /bin/sh\n      args:\n        - '-c'\n        - |\n{program}      env: {{ PATH: \
         '/usr/bin:/bin', STARTS: '{starts}' }}\n{more}"
    )
}

/// A good answer to a call.
pub(crate) const GOOD: &str = r#"answer '{"content":[{"type":"text","text":"good"}]}'"#;
