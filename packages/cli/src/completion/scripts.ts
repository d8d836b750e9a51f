export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

/** Each asks `bowline __complete` what could stand at the cursor, so that they never grow old. */
export const COMPLETION_SCRIPTS: Readonly<Record<Shell, string>> = {
  bash: `# bash completion for bowline: source <(bowline completion bash)
_bowline() {
  local word
  COMPREPLY=()
  while IFS= read -r word; do COMPREPLY+=("$word"); done \\
    < <(bowline __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _bowline bowline
`,
  zsh: `#compdef bowline
# zsh completion for bowline: source <(bowline completion zsh)
_bowline() {
  local -a found
  found=("\${(@f)$(bowline __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if (( \${#found} == 1 )) && [[ -z "\${found[1]}" ]]; then _files; else compadd -- "\${found[@]}"; fi
}
compdef _bowline bowline
`,
  fish: `# fish completion for bowline: bowline completion fish | source
complete -c bowline -a '(bowline __complete -- (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'
`,
};
