" netc's network descriptions: comments, indentation and `netc fmt`.
if exists('b:did_ftplugin')
  finish
endif
let b:did_ftplugin = 1

setlocal commentstring=#\ %s comments=:# formatoptions-=t
setlocal expandtab shiftwidth=4 softtabstop=4
setlocal smartindent cinkeys-=0#
let &l:formatprg = 'netc fmt -'
setlocal makeprg=netc\ check\ --diagnostics=short\ % errorformat=%f:%l:%c:\ %trror[%.%#]:\ %m,%f:%l:%c:\ %tarning[%.%#]:\ %m

let b:undo_ftplugin = 'setlocal commentstring< comments< formatoptions< expandtab< shiftwidth< softtabstop< smartindent< cinkeys< formatprg< makeprg< errorformat<'
