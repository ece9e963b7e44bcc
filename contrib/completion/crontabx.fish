# fish: completes crontabx. Lies in share/fish/vendor_completions.d.
crontabx completion fish | source
