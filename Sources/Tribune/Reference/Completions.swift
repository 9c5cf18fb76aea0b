/// Scripts that complete commands, options and files in a shell, generated from the table of commands.
struct Completions {
    /// The supported shells.
    enum Shell: String, CaseIterable {
        case bash, zsh, fish
    }

    let commands: [Command]

    /// The script for `shell`.
    func script(for shell: Shell) -> String {
        switch shell {
        case .bash: bash
        case .zsh: zsh
        case .fish: fish
        }
    }

    /// First words in table order, each with its second words.
    private var words: [(first: String, seconds: [(word: String, command: Command)], command: Command?)] {
        var result: [(first: String, seconds: [(word: String, command: Command)], command: Command?)] = []
        for command in commands {
            let parts = command.name.split(separator: " ").map(String.init)
            let index = result.firstIndex { $0.first == parts[0] } ?? result.count
            if index == result.count { result.append((parts[0], [], nil)) }
            if parts.count > 1 {
                result[index].seconds.append((parts[1], command))
            } else {
                result[index].command = command
            }
        }
        return result
    }

    private func summary(of entry: (first: String, seconds: [(word: String, command: Command)], command: Command?))
        -> String
    {
        entry.command?.summary ?? entry.seconds.map(\.word).joined(separator: ", ")
    }

    private func options(of command: Command) -> String {
        (command.options.map { "--\($0.name)" + ($0.value == nil ? "" : "=") } + ["--help"]).joined(separator: " ")
    }

    private var bash: String {
        var seconds = ""
        var options = ""
        for entry in words {
            if !entry.seconds.isEmpty {
                seconds +=
                    "            \(entry.first)) words=\"\(entry.seconds.map(\.word).joined(separator: " "))\" ;;\n"
            }
            for (word, command) in entry.seconds {
                options += "        \"\(entry.first) \(word)\") words=\"\(self.options(of: command))\" ;;\n"
            }
            if let command = entry.command {
                options += "        \"\(entry.first) \"*) words=\"\(self.options(of: command))\" ;;\n"
            }
        }
        return """
            # Completion of tribune for bash.
            _tribune() {
                local current=${COMP_WORDS[COMP_CWORD]} first=${COMP_WORDS[1]:-} second=${COMP_WORDS[2]:-} words=""
                COMPREPLY=()
                if [ "$COMP_CWORD" -eq 1 ]; then
                    words="\(words.map(\.first).joined(separator: " ")) help"
                elif [ "$COMP_CWORD" -eq 2 ]; then
                    case $first in
            \(seconds)        esac
                fi
                if [ -n "$words" ]; then
                    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
                    return
                fi
                case "$first $second" in
            \(options)    esac
                if [[ $current == -* ]]; then
                    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
                    [[ ${COMPREPLY[0]:-} != *= ]] || compopt -o nospace 2>/dev/null
                    return
                fi
                [ "$current" != = ] || current=
                mapfile -t COMPREPLY < <(compgen -f -- "$current")
                compopt -o filenames 2>/dev/null
            }
            complete -F _tribune tribune

            """
    }

    private var zsh: String {
        func quoted(_ text: String) -> String { text.replacing("'", with: "'\\''") }
        func described(_ word: String, _ summary: String) -> String {
            "'\(word):\(quoted(summary.replacing(":", with: "\\:")))'"
        }
        func arguments(_ command: Command, indent: String) -> String {
            var lines = command.options.map { option in
                let help = ["[", "]", ":"].reduce(option.help) { $0.replacing($1, with: "\\" + $1) }
                let value = option.value.map { "=[\(help)]:\($0.replacing(":", with: "\\:")):_files" } ?? "[\(help)]"
                return quoted("*--\(option.name)\(value)")
            }
            lines += ["--help[Show the options.]", "*:file:_files"]
            return "_arguments \\\n" + lines.map { "\(indent)    '\($0)'" }.joined(separator: " \\\n") + "\n"
        }
        var cases = ""
        for entry in words {
            cases += "        \(entry.first))\n"
            if let command = entry.command {
                cases += "            \(arguments(command, indent: "            "))            ;;\n"
                continue
            }
            cases += "            if (( CURRENT == 3 )); then\n"
            cases +=
                "                words_of=(\(entry.seconds.map { described($0.word, $0.command.summary) }.joined(separator: " ")))\n"
            cases += "                _describe word words_of\n                return\n            fi\n"
            cases += "            case $words[3] in\n"
            for (word, command) in entry.seconds {
                cases +=
                    "                \(word)) \(arguments(command, indent: "                    "))                    ;;\n"
            }
            cases += "            esac\n            ;;\n"
        }
        return """
            #compdef tribune
            # Completion of tribune for zsh.
            _tribune() {
                local -a words_of
                if (( CURRENT == 2 )); then
                    words_of=(\(words.map { described($0.first, summary(of: $0)) }.joined(separator: " ")))
                    _describe command words_of
                    return
                fi
                case $words[2] in
            \(cases)    esac
            }
            _tribune "$@"

            """
    }

    private var fish: String {
        func quoted(_ text: String) -> String {
            "'" + text.replacing("\\", with: "\\\\").replacing("'", with: "\\'") + "'"
        }
        var lines = ["# Completion of tribune for fish."]
        for entry in words {
            lines.append(
                "complete -c tribune -f -n __fish_use_subcommand -a \(entry.first) -d \(quoted(summary(of: entry)))")
            let seen = "__fish_seen_subcommand_from \(entry.first)"
            let seconds = entry.seconds.map(\.word).joined(separator: " ")
            for (word, command) in entry.seconds {
                lines.append(
                    "complete -c tribune -f -n '\(seen); and not __fish_seen_subcommand_from \(seconds)' -a \(word) "
                        + "-d \(quoted(command.summary))")
                lines += options(command, condition: "\(seen); and __fish_seen_subcommand_from \(word)")
            }
            if let command = entry.command { lines += options(command, condition: seen) }
        }
        func options(_ command: Command, condition: String) -> [String] {
            command.options.map { option in
                "complete -c tribune -n '\(condition)' -l \(option.name)\(option.value == nil ? "" : " -r") "
                    + "-d \(quoted(option.help))"
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
