/** The part outside `http` and `stream` that both nginx roles share: one worker, in the foreground, nothing outside its directory. */
export function nginxPreamble(directory: string): string {
  return `daemon off;
worker_processes 1;
worker_rlimit_nofile 16384;
pid ${directory}/nginx.pid;
error_log stderr error;
events { worker_connections 8000; }
`;
}
