" Vim and Neovim syntax file
" Language: crontab, with the annotations of crontabx
"
" Put it into ~/.vim/syntax or ~/.config/nvim/syntax: it takes the place of the one that Vim has.

if exists("b:current_syntax")
  finish
endif

let s:cpo_save = &cpo
set cpo&vim

syn case match

" An entry: five fields or a nickname, options, then the command; a % ends it.
syn match crontabTime "^\s*-\?\%(\S\+\s\+\)\{4}\S\+" contains=crontabStar,crontabName nextgroup=crontabCommand skipwhite
syn match crontabNickname "^\s*-\?@\%(reboot\|yearly\|annually\|monthly\|weekly\|daily\|midnight\|hourly\|every_minute\|after\)\>" nextgroup=crontabCommand skipwhite
syn match crontabNickname "^\s*-\?@\%(every\|at\)\s\+\S\+" nextgroup=crontabCommand skipwhite
syn match crontabStar "\*" contained
syn match crontabName "\<\a\{3}\>" contained
syn match crontabCommand "\S.*$" contained contains=crontabPercent
syn match crontabPercent "\\\@1<!%.*$" contained

" A setting.
syn match crontabSetting "^\s*[\"']\?\h\w*[\"']\?\s*=.*$" contains=crontabVariable
syn match crontabVariable "^\s*[\"']\?\h\w*[\"']\?\ze\s*=" contained

" Comments, and among them annotations.
syn keyword crontabTodo contained TODO FIXME XXX
syn match crontabComment "^\s*#.*$" contains=crontabTodo,@Spell
syn match crontabMarker "^\%(#Ansible: \|# Puppet Name: \|# SALT_CRON_IDENTIFIER:\).*$"
syn match crontabxAnnotation "^\s*#:.*$" contains=crontabxForm,crontabxKey,crontabxWord,crontabxValue,crontabxText
syn match crontabxForm "\%(^\s*#:\s*\)\@<=\%(defaults\|pool\)\>" contained
syn match crontabxForm "\%(^\s*#:\s*\)\@<=job\s\+\%('[^']*'\|\S\+\)" contained
" A word before = that is no key stays an error; what follows = is a value up to the next blank.
syn match crontabxWord "\<[A-Za-z_]\w*\ze=" contained contains=crontabxKey
syn match crontabxValue "=\@1<=[^ \t'\"]\+" contained
syn region crontabxText start=+'+ end=+'+ oneline contained
syn region crontabxText start=+"+ skip=+\\.+ end=+"+ oneline contained

" keys, written by docs/generate_annotations.py
syn keyword crontabxKey contained name description owner tags
syn keyword crontabxKey contained schedule timezone jitter starts_at expires_at enabled catchup catchup_window start_deadline skip_on
syn keyword crontabxKey contained depends_on trigger_rule pipeline depends_timeout depends_on_past wait_for wait_interval wait_timeout condition params
syn keyword crontabxKey contained retries retry_delay retry_backoff retry_max_delay retry_jitter retry_on timeout kill_timeout stop_signal success_codes skip_codes fail_on_output concurrency max_instances pool pool_slots priority max_load
syn keyword crontabxKey contained on_failure on_retry on_success on_recovery on_skip on_late late_after warn_runtime max_time_since_success alert_after alert_cooldown mail ping
syn keyword crontabxKey contained env_file secret_env working_dir umask nice ionice limit_nofile memory_max cpu_quota log_max_size keep_runs keep_days
" end of keys

" A pool's name is no key.
syn match crontabxAnnotation "^\s*#:\s*pool\>.*$" contains=crontabxForm,crontabxValue

hi def link crontabTime Number
hi def link crontabNickname Keyword
hi def link crontabStar Operator
hi def link crontabName Constant
hi def link crontabPercent String
hi def link crontabSetting String
hi def link crontabVariable Identifier
hi def link crontabTodo Todo
hi def link crontabComment Comment
hi def link crontabMarker PreProc
hi def link crontabxAnnotation SpecialComment
hi def link crontabxForm Statement
hi def link crontabxWord Error
hi def link crontabxKey Identifier
hi def link crontabxValue Constant
hi def link crontabxText String

let b:current_syntax = "crontab"

let &cpo = s:cpo_save
unlet s:cpo_save
