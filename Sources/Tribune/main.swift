internal import Glibc

// This file holds only the call: closures formed here would be bound to the main actor.
exit(CommandLineTool.run(Array(CommandLine.arguments.dropFirst()), commands: Commands.all))
