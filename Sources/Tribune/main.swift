internal import Glibc

// Nothing but the call stands here: closures formed in this file would be bound to the main actor.
exit(CommandLineTool.run(Array(CommandLine.arguments.dropFirst()), commands: Commands.all))
